#!/usr/bin/env bash
# govmomi's simulator of vCenter: who waits for updates is not told that a cluster's rules or groups changed.
#
# A client waits (WaitForUpdatesEx) for two properties of a cluster, name and configurationEx. Another client renames the
# cluster, adds a DRS rule, adds a group of VMs, and renames the cluster again. The first client is told of both names,
# and of neither rule nor group, though both tasks succeed and whoever reads configurationEx anew finds the rule and the
# group. So a program that follows a cluster's rules by updates can't be tested against this simulator as it is. Its
# ReconfigureComputeResource_Task changes the configuration in place and sends no update; later sources do the same.
#
# Needs root and mmdebstrap; compiles a minute. Seen with 0.24.2.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
try_on bookworm golang-github-vmware-govmomi-dev=0.24.2-3 golang-go=2:1.19~1

program() {
  cat <<'GO'
package main

import (
  "context"
  "fmt"
  "os"
  "time"

  "github.com/vmware/govmomi"
  "github.com/vmware/govmomi/find"
  "github.com/vmware/govmomi/object"
  "github.com/vmware/govmomi/property"
  "github.com/vmware/govmomi/simulator"
  "github.com/vmware/govmomi/vim25/mo"
  "github.com/vmware/govmomi/vim25/types"
)

var ctx = context.Background()

func must(err error) {
  if err != nil {
    fmt.Fprintln(os.Stderr, err)
    os.Exit(2)
  }
}

// follow sends the name of each property that an update tells of.
func follow(client *govmomi.Client, cluster *object.ClusterComputeResource) chan string {
  told := make(chan string, 100)
  filter := new(property.WaitFilter).Add(cluster.Reference(), "ClusterComputeResource",
    []string{"name", "configurationEx"})
  go func() {
    must(property.WaitForUpdates(ctx, property.DefaultCollector(client.Client), filter,
      func(updates []types.ObjectUpdate) bool {
        for _, update := range updates {
          for _, change := range update.ChangeSet {
            told <- change.Name
          }
        }
        return false
      }))
  }()
  // The first update has both properties as they are.
  <-told
  <-told
  return told
}

func main() {
  model := simulator.VPX()
  must(model.Create())
  server := model.Service.NewServer()
  client, err := govmomi.NewClient(ctx, server.URL, true)
  must(err)
  waiter, err := govmomi.NewClient(ctx, server.URL, true)
  must(err)
  cluster, err := find.NewFinder(client.Client).ClusterComputeResource(ctx, "/DC0/host/DC0_C0")
  must(err)
  told := follow(waiter, cluster)
  time.Sleep(2 * time.Second)

  change := func(what string, task *object.Task, err error) {
    must(err)
    must(task.Wait(ctx))
    time.Sleep(5 * time.Second) // The simulator looks for updates each 250 ms.
    names := ""
    for len(told) > 0 {
      names += " " + <-told
    }
    var now mo.ClusterComputeResource
    must(cluster.Properties(ctx, cluster.Reference(), []string{"name", "configurationEx"}, &now))
    config := now.ConfigurationEx.(*types.ClusterConfigInfoEx)
    fmt.Printf("%s|%s, %d rules, %d groups|%s\n", what, now.Name, len(config.Rule), len(config.Group), names)
  }
  add := types.ArrayUpdateSpec{Operation: types.ArrayUpdateOperationAdd}
  rule := &types.ClusterConfigSpecEx{RulesSpec: []types.ClusterRuleSpec{{ArrayUpdateSpec: add,
    Info: &types.ClusterAffinityRuleSpec{ClusterRuleInfo: types.ClusterRuleInfo{Name: "together"}}}}}
  group := &types.ClusterConfigSpecEx{GroupSpec: []types.ClusterGroupSpec{{ArrayUpdateSpec: add,
    Info: &types.ClusterVmGroup{ClusterGroupInfo: types.ClusterGroupInfo{Name: "some"}}}}}

  task, err := cluster.Rename(ctx, "one")
  change("renamed", task, err)
  task, err = cluster.Reconfigure(ctx, rule, true)
  change("rule added", task, err)
  task, err = cluster.Reconfigure(ctx, group, true)
  change("group added", task, err)
  task, err = cluster.Rename(ctx, "two")
  change("renamed again", task, err)
}
GO
}

experiment() {
  printf '   %s\n' "$(go version)"
  mkdir /run/program
  program >/run/program/main.go
  export GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS='' CGO_ENABLED=0 GOCACHE=/run/go-cache HOME=/root
  (cd /run/program && go build -p 1 -o /run/simulator .) || cannot "go build failed"
  /run/simulator >/run/seen 2>/run/simulator.log || cannot "$(tail -n 1 /run/simulator.log)"

  step renamed 'one, 0 rules, 0 groups' ' name'
  step 'rule added' 'one, 1 rules, 0 groups' ''
  step 'group added' 'one, 1 rules, 1 groups' ''
  step 'renamed again' 'two, 1 rules, 1 groups' ' name'
}

# step CHANGE READ TOLD
step() {
  local now names
  now=$(sed -n "s/^$1|\([^|]*\)|.*/\1/p" /run/seen)
  names=$(sed -n "s/^$1|[^|]*|//p" /run/seen)
  seen "$1; read" "$now" test "$now" = "$2"
  seen "   told of" "${names:-nothing}" test "$names" = "$3"
}

finding "$@"
