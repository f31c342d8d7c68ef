package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vim25/xml"
)

// maxBody of a request, in bytes.
const maxBody = 64 << 20

// Call in the log.
type Call struct {
	Number  int    `json:"number"` // From 1.
	Method  string `json:"method"`
	Object  string `json:"object"`
	User    string `json:"user"`
	Changes bool   `json:"changes"` // It may change something.
	Outcome string `json:"outcome"` // ok, running, the fault's type, or what a rule made of it.
}

// Rule makes something of calls: of the `nth` that fits from now on (from 1), and of `times` in a row.
type Rule struct {
	Method string `json:"method"` // Its name, or * for every one.
	Nth    int    `json:"nth"`
	Times  int    `json:"times"`
	// fault: refused with Fault. task: its task fails with Fault and does nothing; task_done: it fails and has done it;
	// task_ignored: it succeeds and has done nothing, as with --plain.
	// cut: the connection is cut and nothing is done; cut_after: it is done. expire: the session is gone. status: the
	// HTTP status Status. other_edit: another administrator edits the switch just before.
	How    string                 `json:"how"`
	Fault  string                 `json:"fault"`  // A type: ConcurrentAccess
	Fields map[string]interface{} `json:"fields"` // Of the fault.
	Status int                    `json:"status"`
	seen   int
}

// Session of a client that logged in.
type Session struct {
	account *Account
	active  time.Time
}

// Front stands before the simulator: accounts, rights, sessions, the log, and rules.
type Front struct {
	world    *World
	updates  *Updates // nil: the simulator's own, with --plain.
	accounts []Account
	idle     time.Duration // A session that was idle for as long is gone; 0: never.

	mu       sync.Mutex // Guards what follows.
	calls    []Call
	rules    []*Rule
	sessions map[string]*Session
	down     time.Time // Until then every connection is cut.
}

var faultType = regexp.MustCompile(`<detail><\w+ [^>]*xsi:type="(\w+)"`)

// makeFault by the name of its type.
func makeFault(name string, fields map[string]interface{}) (types.BaseMethodFault, error) {
	kind, ok := types.TypeFunc()(name)
	if !ok {
		return nil, fmt.Errorf("no fault %q", name)
	}
	value := reflect.New(kind)
	for field, text := range fields {
		f := value.Elem().FieldByName(field)
		if !f.IsValid() || f.Kind() != reflect.String {
			return nil, fmt.Errorf("fault %s has no text %q", name, field)
		}
		f.SetString(fmt.Sprint(text))
	}
	fault, ok := value.Interface().(types.BaseMethodFault)
	if !ok {
		return nil, fmt.Errorf("%q is no fault", name)
	}
	return fault, nil
}

// writeFault as the real ones are written: the element is the type's name with Fault after it.
func writeFault(w http.ResponseWriter, fault types.BaseMethodFault) {
	name := reflect.TypeOf(fault).Elem().Name()
	start := xml.StartElement{Name: xml.Name{Local: name + "Fault"}, Attr: []xml.Attr{
		{Name: xml.Name{Local: "xmlns"}, Value: "urn:vim25"}, {Name: xml.Name{Local: "xsi:type"}, Value: name},
	}}
	writeBody(w, http.StatusInternalServerError, func(encoder *xml.Encoder) error {
		var detail bytes.Buffer
		if err := xml.NewEncoder(&detail).EncodeElement(fault, start); err != nil {
			return err
		}
		return encoder.Encode(struct {
			XMLName xml.Name `xml:"soapenv:Fault"`
			Code    string   `xml:"faultcode"`
			Text    string   `xml:"faultstring"`
			Detail  struct {
				Fault string `xml:",innerxml"`
			} `xml:"detail"`
		}{Code: "ServerFaultCode", Text: name, Detail: struct {
			Fault string `xml:",innerxml"`
		}{detail.String()}})
	})
}

// writeBody in the envelope of SOAP.
func writeBody(w http.ResponseWriter, status int, body func(*xml.Encoder) error) {
	var out bytes.Buffer
	fmt.Fprintf(&out, `%s<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" `+
		`xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>`,
		xml.Header)
	encoder := xml.NewEncoder(&out)
	err := body(encoder)
	if err == nil {
		err = encoder.Flush()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	out.WriteString(`</soapenv:Body></soapenv:Envelope>`)
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes())
}

// cut the connection without an answer.
func cut(w http.ResponseWriter) {
	if hijacker, ok := w.(http.Hijacker); ok {
		if connection, _, err := hijacker.Hijack(); err == nil {
			connection.Close()
			return
		}
	}
	panic(http.ErrAbortHandler)
}

// log the call, and give its number and the rule that it meets.
func (f *Front) log(call Call) (int, *Rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	call.Number = len(f.calls) + 1
	f.calls = append(f.calls, call)
	for _, rule := range f.rules {
		if rule.Method != call.Method && rule.Method != "*" {
			continue
		}
		rule.seen++
		if rule.seen >= rule.Nth && rule.seen < rule.Nth+rule.Times {
			return call.Number, rule
		}
	}
	return call.Number, nil
}

func (f *Front) outcome(number int, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if number <= len(f.calls) { // The log may have been emptied meanwhile.
		f.calls[number-1].Outcome = text
	}
}

// session of the request, and its account; a session that is gone loses its cookie here.
func (f *Front) session(r *http.Request) *Account {
	cookie, err := r.Cookie(soap.SessionCookieName)
	if err != nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	session, ok := f.sessions[cookie.Value]
	if ok && f.idle != 0 && time.Since(session.active) > f.idle {
		delete(f.sessions, cookie.Value)
		ok = false
	}
	if !ok {
		r.Header.Del("Cookie")
		return nil
	}
	session.active = time.Now()
	return session.account
}

// dropSessions ends all, or that of one request.
func (f *Front) dropSessions(r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ended := ""
	if r == nil {
		f.sessions = make(map[string]*Session)
	} else if cookie, err := r.Cookie(soap.SessionCookieName); err == nil {
		ended = cookie.Value
		delete(f.sessions, ended)
		r.Header.Del("Cookie")
	}
	if f.updates != nil && (r == nil || ended != "") {
		f.updates.end(ended)
	}
}

func (f *Front) login(req *types.Login) *Account {
	for i := range f.accounts {
		if f.accounts[i].Name == req.UserName && f.accounts[i].Password == req.Password {
			return &f.accounts[i]
		}
	}
	return nil
}

// ServeHTTP answers /sdk.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	down := time.Now().Before(f.down)
	f.mu.Unlock()
	if down {
		cut(w)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return
	}
	method, err := simulator.UnmarshalBody(types.TypeFunc(), body)
	if err != nil {
		f.log(Call{Method: "?", Outcome: err.Error()})
		writeFault(w, &types.InvalidRequest{})
		return
	}
	account := f.session(r)
	user := ""
	if account != nil {
		user = account.Name
	}
	number, rule := f.log(Call{Method: method.Name, Object: method.This.String(), User: user, Changes: !reads[method.Name],
		Outcome: "running"})
	if rule != nil && f.obey(w, r, rule, number) {
		return
	}
	if rule != nil && rule.How == "expire" {
		account = nil
	}
	req, isLogin := method.Body.(*types.Login)
	if isLogin {
		if account = f.login(req); account == nil {
			f.outcome(number, "InvalidLogin")
			writeFault(w, &types.InvalidLogin{})
			return
		}
		r.Header.Del("Cookie")
	} else if fault := refusal(account, method.Name, method.This, method.Body); fault != nil {
		f.outcome(number, "NoPermission")
		writeFault(w, fault)
		return
	}
	f.pass(w, r, method, body, account, number, rule)
}

// obey the rule, where it keeps the call from the simulator: then true.
func (f *Front) obey(w http.ResponseWriter, r *http.Request, rule *Rule, number int) bool {
	f.outcome(number, rule.How)
	switch rule.How {
	case "fault":
		fault, _ := makeFault(rule.Fault, rule.Fields)
		f.outcome(number, rule.Fault)
		writeFault(w, fault)
		return true
	case "cut":
		cut(w)
		return true
	case "status":
		w.WriteHeader(rule.Status)
		return true
	case "expire":
		f.dropSessions(r)
	case "other_edit":
		f.world.mu.Lock()
		f.world.foreignSession("")
		f.world.mu.Unlock()
	}
	return false
}

// pass the call to the simulator. A call that waits leaves the world to others meanwhile.
func (f *Front) pass(w http.ResponseWriter, r *http.Request, method *simulator.Method, body []byte, account *Account,
	number int, rule *Rule) {
	cookie := ""
	if found, err := r.Cookie(soap.SessionCookieName); err == nil {
		cookie = found.Value
	}
	if f.updates != nil && cookie != "" {
		switch req := method.Body.(type) {
		case *types.WaitForUpdatesEx:
			f.serveWait(w, r, cookie, req, number, rule)
			return
		case *types.CancelWaitForUpdates:
			select {
			case f.updates.collector(cookie, req.This).cancel <- struct{}{}:
			default:
			}
		case *types.DestroyPropertyFilter:
			f.updates.removeFilter(cookie, req.This)
		}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := httptest.NewRecorder()
	func() {
		if method.Name != "WaitForUpdatesEx" && method.Name != "WaitForUpdates" && method.Name != "CancelWaitForUpdates" {
			f.world.mu.Lock()
			defer f.world.mu.Unlock()
			if rule != nil && (rule.How == "task" || rule.How == "task_done" || rule.How == "task_ignored") {
				fault, _ := makeFault(rule.Fault, rule.Fields)
				f.world.late = &Late{Fault: fault, Done: rule.How == "task_done"}
				defer func() { f.world.late = nil }()
			}
		}
		f.world.service.ServeSDK(answer, r)
	}()
	result := answer.Result()
	if method.Name == "Login" && result.StatusCode == http.StatusOK {
		for _, cookie := range result.Cookies() {
			if cookie.Name == soap.SessionCookieName {
				f.mu.Lock()
				f.sessions[cookie.Value] = &Session{account: account, active: time.Now()}
				f.mu.Unlock()
			}
		}
	}
	if req, ok := method.Body.(*types.CreateFilter); ok && f.updates != nil && result.StatusCode == http.StatusOK {
		var made methods.CreateFilterBody
		if xml.Unmarshal(answer.Body.Bytes(), &soap.Envelope{Body: &made}) == nil && made.Res != nil {
			f.updates.addFilter(cookie, req, made.Res.Returnval)
		}
	}
	if method.Name == "Logout" {
		f.dropSessions(r)
	}
	outcome := "ok"
	if result.StatusCode != http.StatusOK {
		outcome = "fault"
		if found := faultType.FindSubmatch(answer.Body.Bytes()); found != nil {
			outcome = string(found[1])
		}
	}
	f.outcome(number, outcome)
	f.mu.Lock()
	gone := time.Now().Before(f.down)
	f.mu.Unlock()
	if gone || (rule != nil && rule.How == "cut_after") {
		cut(w)
		return
	}
	for key, values := range result.Header {
		w.Header()[key] = values
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.WriteHeader(result.StatusCode)
	_, _ = w.Write(answer.Body.Bytes())
}

// versions answers /sdk/vimServiceVersions.xml.
func versions(newest string, prior []string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprintf(w, "%s<namespaces version=\"1.0\">\n <namespace>\n  <name>urn:vim25</name>\n  <version>%s</version>\n"+
			"  <priorVersions>\n", xml.Header, newest)
		for _, version := range prior {
			fmt.Fprintf(w, "   <version>%s</version>\n", version)
		}
		fmt.Fprint(w, "  </priorVersions>\n </namespace>\n</namespaces>\n")
	}
}
