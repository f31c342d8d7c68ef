package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vim25/xml"
)

// WaitForUpdatesEx as vCenter has it. The simulator's gives the whole only once, has one version for all, goes on waiting
// for a client that went and swallows the next change then, and knows no limit to an answer. Here
//
//   - the version "" gives the whole, in answers of at most maxObjectUpdates objects, `truncated` until the last;
//   - the version of the last answer waits for what is new; the one before gets the last answer again (it may have been
//     lost on the way); any other is an InvalidCollectorVersion;
//   - a client that goes ends the wait, and so does the end of its session.
//
// Filters are asked what they give by RetrievePropertiesEx, wholly once and when an object of their types comes or goes,
// else for the objects that changed. Partial updates are not made: the whole property is sent.

// maxUpdates in an answer where the client doesn't say (vCenter's own default).
const maxUpdates = 100

type values map[string]types.AnyType

type filter struct {
	ref    types.ManagedObjectReference
	spec   types.PropertyFilterSpec
	known  map[types.ManagedObjectReference]values // nil: nothing was asked yet.
	queued []types.ObjectUpdate
}

// collector of one session.
type collector struct {
	cookie string
	this   types.ManagedObjectReference

	turn    sync.Mutex // One wait at a time; guards the next two, and what is in the filters.
	version int
	last    *types.UpdateSet // The answer of that version.

	mu      sync.Mutex // Guards the next three.
	filters []*filter
	dirty   map[types.ManagedObjectReference]bool
	all     bool // An object came or went.

	wake   chan struct{}
	gone   chan struct{} // Closed with the session.
	cancel chan struct{}
}

func (c *collector) list() []*filter {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*filter{}, c.filters...)
}

// poke whoever waits.
func (c *collector) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Updates are the collectors that clients wait on, and what tells these of changes.
type Updates struct {
	self       types.ManagedObjectReference
	mu         sync.Mutex
	collectors map[string]*collector
}

var (
	errGone      = errors.New("the session ended")
	errCancelled = errors.New("the wait was cancelled")
)

func newUpdates() *Updates {
	u := &Updates{self: types.ManagedObjectReference{Type: "Watcher", Value: "vmirror-updates"},
		collectors: make(map[string]*collector)}
	simulator.Map.AddHandler(u)
	return u
}

// Reference makes it a handler of the simulator's registry, as do the next three.
func (u *Updates) Reference() types.ManagedObjectReference { return u.self }

// PutObject is called for each new object.
func (u *Updates) PutObject(obj mo.Reference) { u.changed(obj.Reference(), true) }

// RemoveObject is called for each that goes.
func (u *Updates) RemoveObject(ref types.ManagedObjectReference) { u.changed(ref, true) }

// UpdateObject is called for each change of a property.
func (u *Updates) UpdateObject(obj mo.Reference, _ []types.PropertyChange) {
	u.changed(obj.Reference(), false)
}

func (u *Updates) changed(ref types.ManagedObjectReference, whole bool) {
	if ref.Type == "Task" || ref.Type == "ContainerView" || ref.Type == "PropertyFilter" {
		whole = false // There are many, and they are watched by themselves.
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, c := range u.collectors {
		c.mu.Lock()
		c.dirty[ref] = true
		c.all = c.all || whole
		c.mu.Unlock()
		c.poke()
	}
}

func (u *Updates) collector(cookie string, this types.ManagedObjectReference) *collector {
	u.mu.Lock()
	defer u.mu.Unlock()
	key := cookie + this.Value
	c, ok := u.collectors[key]
	if !ok {
		c = &collector{cookie: cookie, this: this, dirty: make(map[types.ManagedObjectReference]bool),
			wake: make(chan struct{}, 1), gone: make(chan struct{}), cancel: make(chan struct{}, 1)}
		u.collectors[key] = c
	}
	return c
}

// end the waits of a session, or of all for "".
func (u *Updates) end(cookie string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for key, c := range u.collectors {
		if cookie == "" || c.cookie == cookie {
			close(c.gone)
			delete(u.collectors, key)
		}
	}
}

// addFilter that the simulator made.
func (u *Updates) addFilter(cookie string, req *types.CreateFilter, made types.ManagedObjectReference) {
	c := u.collector(cookie, req.This)
	c.mu.Lock()
	c.filters = append(c.filters, &filter{ref: made, spec: req.Spec})
	c.mu.Unlock()
	c.poke()
}

func (u *Updates) removeFilter(cookie string, ref types.ManagedObjectReference) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, c := range u.collectors {
		if c.cookie != cookie {
			continue
		}
		c.mu.Lock()
		for i, f := range c.filters {
			if f.ref == ref {
				c.filters = append(append([]*filter{}, c.filters[:i]...), c.filters[i+1:]...)
				break
			}
		}
		c.mu.Unlock()
	}
}

// ask the simulator, in the client's session, for what the specification gives.
func (f *Front) ask(c *collector, spec types.PropertyFilterSpec) ([]types.ObjectContent, error) {
	var body bytes.Buffer
	req := types.RetrievePropertiesEx{This: c.this, SpecSet: []types.PropertyFilterSpec{spec}}
	err := xml.NewEncoder(&body).Encode(soap.Envelope{Body: &methods.RetrievePropertiesExBody{Req: &req}})
	if err != nil {
		return nil, err
	}
	r := httptest.NewRequest(http.MethodPost, "/sdk", &body)
	r.AddCookie(&http.Cookie{Name: soap.SessionCookieName, Value: c.cookie})
	answer := httptest.NewRecorder()
	f.world.mu.Lock()
	f.world.service.ServeSDK(answer, r)
	f.world.mu.Unlock()
	var res methods.RetrievePropertiesExBody
	decoder := xml.NewDecoder(answer.Body)
	decoder.TypeFunc = types.TypeFunc()
	if err := decoder.Decode(&soap.Envelope{Body: &res}); err != nil {
		return nil, err
	}
	if res.Fault_ != nil {
		return nil, fmt.Errorf("%s", res.Fault_.String)
	}
	if res.Res == nil || res.Res.Returnval == nil {
		return nil, nil
	}
	return res.Res.Returnval.Objects, nil
}

// note what an object is now: queues what differs.
func (one *filter) note(content types.ObjectContent) {
	now := make(values)
	var changes []types.PropertyChange
	before, seen := one.known[content.Obj]
	for _, property := range content.PropSet {
		now[property.Name] = property.Val
		if !seen || !reflect.DeepEqual(before[property.Name], property.Val) {
			changes = append(changes, types.PropertyChange{Name: property.Name, Op: types.PropertyChangeOpAssign, Val: property.Val})
		}
	}
	one.known[content.Obj] = now
	kind := types.ObjectUpdateKindModify
	if !seen {
		kind = types.ObjectUpdateKindEnter
	}
	if !seen || len(changes) != 0 {
		one.queued = append(one.queued, types.ObjectUpdate{Kind: kind, Obj: content.Obj, ChangeSet: changes})
	}
}

// look what is new, and queue it.
func (f *Front) look(c *collector) error {
	c.mu.Lock()
	dirty, all := c.dirty, c.all
	c.dirty, c.all = make(map[types.ManagedObjectReference]bool), false
	c.mu.Unlock()
	for _, one := range c.list() {
		if one.known == nil || all {
			contents, err := f.ask(c, one.spec)
			if err != nil {
				return err
			}
			if one.known == nil {
				one.known = make(map[types.ManagedObjectReference]values)
			}
			here := make(map[types.ManagedObjectReference]bool)
			for _, content := range contents {
				here[content.Obj] = true
				one.note(content)
			}
			for ref := range one.known {
				if !here[ref] {
					delete(one.known, ref)
					one.queued = append(one.queued, types.ObjectUpdate{Kind: types.ObjectUpdateKindLeave, Obj: ref})
				}
			}
			continue
		}
		for ref := range dirty {
			if _, ok := one.known[ref]; !ok {
				continue
			}
			spec := types.PropertyFilterSpec{PropSet: one.spec.PropSet, ObjectSet: []types.ObjectSpec{{Obj: ref}}}
			contents, err := f.ask(c, spec)
			if err != nil {
				return err
			}
			for _, content := range contents {
				one.note(content)
			}
		}
	}
	return nil
}

// take up to `most` objects from what is queued, as the next version; nil if there is nothing.
func (c *collector) take(most int) *types.UpdateSet {
	set := &types.UpdateSet{}
	left := false
	for _, one := range c.list() {
		count := len(one.queued)
		if count > most {
			count = most
		}
		left = left || count < len(one.queued)
		if count == 0 {
			continue
		}
		set.FilterSet = append(set.FilterSet, types.PropertyFilterUpdate{Filter: one.ref, ObjectSet: one.queued[:count]})
		one.queued = one.queued[count:]
		most -= count
	}
	if len(set.FilterSet) == 0 {
		return nil
	}
	c.version++
	set.Version = strconv.Itoa(c.version)
	if left {
		set.Truncated = types.NewBool(true)
	}
	c.last = set
	return set
}

// wait for updates; nil and no error: the time was up.
func (f *Front) wait(gone context.Context, c *collector, req *types.WaitForUpdatesEx) (*types.UpdateSet, types.BaseMethodFault, error) {
	c.turn.Lock()
	defer c.turn.Unlock()
	most, limit := maxUpdates, (<-chan time.Time)(nil)
	now := false
	if o := req.Options; o != nil {
		if o.MaxWaitSeconds != nil {
			if *o.MaxWaitSeconds < 0 {
				return nil, &types.InvalidArgument{InvalidProperty: "options.maxWaitSeconds"}, nil
			}
			now = *o.MaxWaitSeconds == 0
			limit = time.After(time.Duration(*o.MaxWaitSeconds) * time.Second)
		}
		if o.MaxObjectUpdates > 0 {
			most = int(o.MaxObjectUpdates)
		}
	}
	switch version, err := strconv.Atoi(req.Version); {
	case req.Version == "":
		for _, one := range c.list() {
			one.known, one.queued = nil, nil
		}
		c.last = nil
		c.version++ // No version of before is good any more.
	case err == nil && version == c.version:
		c.last = nil
	case err == nil && version == c.version-1 && c.last != nil:
		return c.last, nil, nil
	default:
		return nil, &types.InvalidCollectorVersion{}, nil
	}
	for {
		if err := f.look(c); err != nil {
			return nil, nil, err
		}
		if set := c.take(most); set != nil || now {
			return set, nil, nil
		}
		select {
		case <-c.wake:
		case <-limit:
			return nil, nil, nil
		case <-gone.Done():
			return nil, nil, gone.Err()
		case <-c.gone:
			return nil, nil, errGone
		case <-c.cancel:
			return nil, nil, errCancelled
		}
	}
}

// serveWait answers WaitForUpdatesEx.
func (f *Front) serveWait(w http.ResponseWriter, r *http.Request, cookie string, req *types.WaitForUpdatesEx, number int, rule *Rule) {
	set, fault, err := f.wait(r.Context(), f.updates.collector(cookie, req.This), req)
	switch {
	case err == errGone:
		fault = &types.NotAuthenticated{NoPermission: types.NoPermission{Object: req.This, PrivilegeId: "System.View"}}
	case err == errCancelled:
		fault = &types.RequestCanceled{}
	case err != nil && r.Context().Err() != nil:
		f.outcome(number, "the client went")
		return
	case err != nil:
		fault = &types.InvalidRequest{}
	}
	f.mu.Lock()
	down := time.Now().Before(f.down)
	f.mu.Unlock()
	if down || (rule != nil && rule.How == "cut_after") {
		f.outcome(number, "cut")
		cut(w)
		return
	}
	if fault != nil {
		f.outcome(number, reflect.TypeOf(fault).Elem().Name())
		writeFault(w, fault)
		return
	}
	f.outcome(number, "ok")
	start := xml.StartElement{Name: xml.Name{Local: "WaitForUpdatesExResponse"},
		Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: "urn:vim25"}}}
	writeBody(w, http.StatusOK, func(encoder *xml.Encoder) error {
		return encoder.EncodeElement(&types.WaitForUpdatesExResponse{Returnval: set}, start)
	})
}
