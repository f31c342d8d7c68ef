// Debian's Go client of WinRM (golang-github-masterzen-winrm-dev) against vmirror-wsman: what it can send, it sends; what came
// back, as one JSON object.
//
//	winrm-client PORT CERTIFICATE ntlm|basic USER PASSWORD
//
// The library has calls for shells alone; its messages and its transports carry Enumerate and Pull. It has no Identify, no
// filter, and no selector but ShellId, so that Get and methods are out of its reach.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/masterzen/winrm"
	"github.com/masterzen/winrm/soap"
)

const (
	enumeration = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
	anonymous   = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
	wmi         = "http://schemas.microsoft.com/wbem/wsman/1/wmi/"
	switches    = wmi + "root/virtualization/v2/Msvm_VirtualEthernetSwitch"
)

var (
	context = regexp.MustCompile(`<n:EnumerationContext>([^<]+)</n:EnumerationContext>`)
	name    = regexp.MustCompile(`<p:ElementName>([^<]+)</p:ElementName>`)
)

func message(url, action string, number int) *soap.SoapMessage {
	made := soap.NewMessage()
	made.Header().To(url).ReplyTo(anonymous).MaxEnvelopeSize(153600).Id(fmt.Sprintf("uuid:%d", number)).Locale("en-US").
		Timeout("PT60S").Action(enumeration + "/" + action).ResourceURI(switches).Build()
	return made
}

func enumerate(post func(*soap.SoapMessage) (string, error), url string) ([]string, error) {
	names := []string{}
	request := message(url, "Enumerate", 1)
	request.CreateBodyElement("Enumerate", soap.DOM_NS_ENUM)
	for number := 2; ; number++ {
		answer, err := post(request)
		if err != nil {
			return nil, err
		}
		for _, found := range name.FindAllStringSubmatch(answer, -1) {
			names = append(names, found[1])
		}
		held := context.FindStringSubmatch(answer)
		if held == nil {
			return names, nil
		}
		request = message(url, "Pull", number)
		pull := request.CreateBodyElement("Pull", soap.DOM_NS_ENUM)
		request.CreateElement(pull, "EnumerationContext", soap.DOM_NS_ENUM).SetContent(held[1])
	}
}

func run(port, certificate, scheme, user, password string) (map[string]interface{}, error) {
	trusted, err := os.ReadFile(certificate)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	endpoint := winrm.NewEndpoint("localhost", number, true, false, trusted, nil, nil, 130*time.Second)
	parameters := winrm.NewParameters("PT60S", "en-US", 153600)
	var transport winrm.Transporter = winrm.NewClientWithDial(nil)
	if scheme == "ntlm" {
		transport = &winrm.ClientNTLM{}
	}
	parameters.TransportDecorator = func() winrm.Transporter { return transport }
	client, err := winrm.NewClientWithParameters(endpoint, user, password, parameters)
	if err != nil {
		return nil, err
	}
	post := func(request *soap.SoapMessage) (string, error) { return transport.Post(client, request) }
	told := map[string]interface{}{}
	names, err := enumerate(post, fmt.Sprintf("https://localhost:%s/wsman", port))
	if err != nil {
		told["error"] = err.Error()
	}
	told["switches"] = names
	told["shell"] = ""
	if _, err := client.CreateShell(); err != nil {
		told["shell"] = err.Error()
	}
	return told, nil
}

func main() {
	if len(os.Args) != 6 {
		fmt.Fprintln(os.Stderr, "winrm-client: give", strings.ToLower("PORT CERTIFICATE SCHEME USER PASSWORD"))
		os.Exit(2)
	}
	told, err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5])
	if err != nil {
		fmt.Fprintln(os.Stderr, "winrm-client:", err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(told); err != nil {
		os.Exit(1)
	}
}
