package main

import (
	"fmt"
	"strings"

	"github.com/vmware/govmomi/vim25/types"
)

// leastRole is what vmirror needs and docs/vsphere.md asks for. The account `vmirror` has it; whatever needs more is
// refused.
var leastRole = []string{
	"System.Anonymous", "System.View", "System.Read",
	"Sessions.ValidateSession",
	"DVSwitch.Modify", "DVSwitch.Vspan", "DVSwitch.PortSetting",
	"Host.Config.Network", "Host.Config.AdvancedConfig",
	"VirtualMachine.Config.EditDevice", "Network.Assign",
	"Host.Inventory.EditCluster",
}

// readRole observes and changes nothing: enough for `vmirror plan`.
var readRole = []string{"System.Anonymous", "System.View", "System.Read", "Sessions.ValidateSession"}

// Account that can log in.
type Account struct {
	Name, Password string
	Admin          bool
	Privileges     []string
}

// parseAccount reads NAME:PASSWORD:ROLE, where ROLE is admin, vmirror, read, or privileges with commas between.
func parseAccount(text string) (Account, error) {
	parts := strings.SplitN(text, ":", 3)
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" {
		return Account{}, fmt.Errorf("account %q: NAME:PASSWORD:ROLE is meant", text)
	}
	account := Account{Name: parts[0], Password: parts[1]}
	switch parts[2] {
	case "admin":
		account.Admin = true
	case "vmirror":
		account.Privileges = leastRole
	case "read":
		account.Privileges = readRole
	default:
		account.Privileges = strings.Split(parts[2], ",")
	}
	return account, nil
}

// Methods that anybody may call, with or without a session.
var open = []string{"RetrieveServiceContent", "Login", "Logout"}

// Privileges by method. One that isn't here is for administrators only.
var needs = map[string][]string{
	"CurrentTime":                     {"System.View"},
	"CreateContainerView":             {"System.View"},
	"CreateListView":                  {"System.View"},
	"DestroyView":                     {"System.View"},
	"CreatePropertyCollector":         {"System.View"},
	"DestroyPropertyCollector":        {"System.View"},
	"CreateFilter":                    {"System.View"},
	"DestroyPropertyFilter":           {"System.View"},
	"RetrieveProperties":              {"System.Anonymous"},
	"RetrievePropertiesEx":            {"System.Anonymous"},
	"ContinueRetrievePropertiesEx":    {"System.Anonymous"},
	"CancelRetrievePropertiesEx":      {"System.Anonymous"},
	"WaitForUpdates":                  {"System.View"},
	"WaitForUpdatesEx":                {"System.View"},
	"CancelWaitForUpdates":            {"System.View"},
	"QueryEvents":                     {"System.View"},
	"FindByInventoryPath":             {"System.View"},
	"SessionIsActive":                 {"Sessions.ValidateSession"},
	"FetchDVPorts":                    {"System.Read"},
	"RefreshDVPortState":              {"System.Read"},
	"QueryOptions":                    {"System.Read"},
	"ReconfigureDVPort_Task":          {"DVSwitch.PortSetting"},
	"AddPortGroup":                    {"Host.Config.Network"},
	"UpdatePortGroup":                 {"Host.Config.Network"},
	"RemovePortGroup":                 {"Host.Config.Network"},
	"UpdateVirtualSwitch":             {"Host.Config.Network"},
	"UpdateOptions":                   {"Host.Config.AdvancedConfig"},
	"ReconfigVM_Task":                 {"VirtualMachine.Config.EditDevice", "Network.Assign"},
	"ReconfigureComputeResource_Task": {"Host.Inventory.EditCluster"},
}

// Methods after which nothing in the inventory is another: the session's own objects don't count.
var reads = map[string]bool{
	"RetrieveServiceContent": true, "Login": true, "Logout": true, "CurrentTime": true, "CreateContainerView": true,
	"CreateListView": true, "DestroyView": true, "CreatePropertyCollector": true, "DestroyPropertyCollector": true,
	"CreateFilter": true, "DestroyPropertyFilter": true, "RetrieveProperties": true, "RetrievePropertiesEx": true,
	"ContinueRetrievePropertiesEx": true, "CancelRetrievePropertiesEx": true, "WaitForUpdates": true,
	"WaitForUpdatesEx": true, "CancelWaitForUpdates": true, "QueryEvents": true, "FindByInventoryPath": true,
	"SessionIsActive": true, "FetchDVPorts": true, "RefreshDVPortState": true, "QueryOptions": true,
}

// refusal of the call to this account, or nil.
func refusal(account *Account, method string, this types.ManagedObjectReference, body types.AnyType) types.BaseMethodFault {
	if account == nil || account.Admin || holds(open, method) {
		return nil // Without a session the simulator itself answers NotAuthenticated.
	}
	wanted, known := needs[method]
	switch req := body.(type) {
	case *types.ReconfigureDvs_Task:
		// Whether one of the two suffices is not known; both are asked for here.
		wanted, known = []string{"DVSwitch.Modify"}, true
		if spec, ok := req.Spec.(*types.VMwareDVSConfigSpec); ok && len(spec.VspanConfigSpec) != 0 {
			wanted = append(wanted, "DVSwitch.Vspan")
		}
	}
	if !known {
		return &types.NoPermission{Object: this, PrivilegeId: "(an administrator's) " + method}
	}
	for _, privilege := range wanted {
		if !holds(account.Privileges, privilege) {
			return &types.NoPermission{Object: this, PrivilegeId: privilege}
		}
	}
	return nil
}
