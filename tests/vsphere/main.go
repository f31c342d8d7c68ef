// vmirror-vcsim is a vCenter, or an ESXi, for tests: govmomi's simulator, which speaks the real SOAP API, with objects of
// ours in place of its own where a driver of mirroring sessions needs more (world.go). Nothing of it ships.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
)

type list []string

func (l *list) String() string { return strings.Join(*l, " ") }
func (l *list) Set(text string) error {
	*l = append(*l, text)
	return nil
}

const usage = `vmirror-vcsim [OPTION]...

A vCenter for tests, with TLS and a certificate of its own. Prints one JSON object once it answers: url, control,
certificate (PEM), thumbprint (SHA-256). Ends with SIGTERM, or when its standard input ends (--with-parent).

Example: vmirror-vcsim --hosts 20 --vms 500 --standard 10 --account vmirror:secret:vmirror

`

// certificate for the listener's addresses.
func certificate() (tls.Certificate, string, string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, "", "", err
	}
	now := time.Now()
	template := x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(240 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, "", "", err
	}
	sum := sha256.Sum256(der)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, text,
		strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":"), nil
}

// Server that answers, and how to reach it.
type Server struct {
	URL         string `json:"url"`
	Control     string `json:"control"`
	Certificate string `json:"certificate"`
	Thumbprint  string `json:"thumbprint"`

	front   *Front
	servers []*http.Server
}

func (s *Server) close() {
	for _, server := range s.servers {
		server.Close()
	}
	s.front.world.remove()
}

// serve a world of that shape. API versions are the newest and, after it, those that it speaks, too.
func serve(shape Shape, accounts []Account, idle time.Duration, listen string, api []string) (*Server, error) {
	world, err := build(shape)
	if err != nil {
		return nil, err
	}
	front := &Front{world: world, accounts: accounts, idle: idle, sessions: make(map[string]*Session)}
	if !shape.Plain {
		front.updates = newUpdates()
	}
	if about, ok := simulator.Map.Get(vim25.ServiceInstance).(*simulator.ServiceInstance); ok {
		about.Content.About.ApiVersion = api[0]
	}
	world.service.Listen = &url.URL{} // Any name and password: the front has looked at them.
	world.service.RegisterSDK(simulator.Map)
	mux := http.NewServeMux()
	mux.Handle("/sdk", front)
	mux.HandleFunc("/sdk/vimServiceVersions.xml", versions(api[0], api[1:]))
	out := &Server{front: front}
	pair, text, thumbprint, err := certificate()
	if err != nil {
		return nil, err
	}
	out.Certificate, out.Thumbprint = text, thumbprint
	api4, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, err
	}
	control, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	out.URL = "https://" + api4.Addr().String() + "/sdk"
	out.Control = "http://" + control.Addr().String()
	quiet := log.New(io.Discard, "", 0)
	secure := &http.Server{Handler: mux, ErrorLog: quiet, TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}}}
	plain := &http.Server{Handler: front.control(), ErrorLog: quiet}
	out.servers = []*http.Server{secure, plain}
	go func() { _ = secure.ServeTLS(api4, "", "") }()
	go func() { _ = plain.Serve(control) }()
	return out, nil
}

func main() {
	var shape Shape
	var accounts, deny list
	flag.BoolVar(&shape.ESX, "esx", false, "an ESXi host without vCenter")
	flag.BoolVar(&shape.Plain, "plain", false, "the simulator as Debian has it: it takes sessions and ignores them")
	flag.IntVar(&shape.Hosts, "hosts", 2, "hosts in the cluster")
	flag.IntVar(&shape.VMs, "vms", 4, "VMs")
	flag.IntVar(&shape.Standard, "standard", 0, "of these, on a standard switch")
	flag.IntVar(&shape.Opaque, "opaque", 0, "on an NSX network")
	flag.IntVar(&shape.Ephemeral, "ephemeral", 0, "on an ephemeral port group")
	flag.IntVar(&shape.Bare, "bare", 0, "without an adapter")
	names := flag.String("names", "", "of the VMs, with commas between, instead of the simulator's")
	flag.StringVar(&shape.Switch, "switch", "", "another name for the distributed switch")
	flag.DurationVar(&shape.TaskDelay, "task-delay", 20*time.Millisecond, "how long a task takes")
	flag.BoolVar(&shape.EditMerges, "edit-merges", false, "an edit of a session leaves what it does not name")
	flag.BoolVar(&shape.Teamed, "teamed", false, "two uplinks on each standard switch, which bring broadcasts twice")
	flag.Var(&deny, "deny", "capability that the switch lacks: dvport, remoteSource, remoteDest, encapRemoteSource, "+
		"mixedDest, erspanProtocol, mirrorNetstack; again for more")
	flag.Var(&accounts, "account", "NAME:PASSWORD:ROLE, ROLE is admin, vmirror, read, or privileges with commas between; "+
		"again for more; default: admin:admin:admin and vmirror:vmirror:vmirror")
	idle := flag.Duration("session-idle", 0, "a session that was idle for so long is gone; 0: never")
	listen := flag.String("listen", "127.0.0.1:0", "where the API answers")
	api := flag.String("api", "8.0.1.0,8.0.0.1,7.0.3.0,6.7.1,6.5", "versions of the API, the newest first")
	verbose := flag.Bool("verbose", false, "the simulator's own log, on standard error")
	parent := flag.Bool("with-parent", false, "end when standard input does")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	for _, word := range os.Args[1:] {
		if word == "--help" || word == "-h" {
			flag.CommandLine.SetOutput(os.Stdout)
			flag.Usage()
			return
		}
	}
	flag.Parse()
	shape.Deny = deny
	if *names != "" {
		shape.Names = strings.Split(*names, ",")
	}
	if len(accounts) == 0 {
		accounts = list{"admin:admin:admin", "vmirror:vmirror:vmirror"}
	}
	var known []Account
	for _, text := range accounts {
		account, err := parseAccount(text)
		if err != nil {
			fmt.Fprintln(os.Stderr, "vmirror-vcsim:", err)
			os.Exit(64)
		}
		known = append(known, account)
	}
	if !*verbose {
		log.SetOutput(io.Discard)
	}
	server, err := serve(shape, known, *idle, *listen, strings.Split(*api, ","))
	if err != nil {
		fmt.Fprintln(os.Stderr, "vmirror-vcsim:", err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(server)
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
	if *parent {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			end <- syscall.SIGTERM
		}()
	}
	<-end
	server.close()
}
