# Affinity rules of a failover cluster (Windows Server 2022 and later) that keep a sensor with its sources.
#
# A rule of ours is named `vmirror hand: SENSOR with VM`. Rules have no description: the name is the mark. Those of
# the agent begin with `OWNER: `; neither takes the other's away.

$script:AffinityTag = 'vmirror hand: '

# ---- Pure

function Get-AffinityName {
    param([string] $Sensor, [string] $VM)
    "$($script:AffinityTag)$Sensor with $VM"
}

# What a cluster has -> what is to be done for a pair of VMs: @{ Name; Problem ('' or why it can't be); Steps }.
# State: Rules, Groups (those of VMs). Step: Text, Command, Arguments.
function New-AffinityPlan {
    param($State, [string] $Sensor, [string] $VM)
    $plan = @{ Name = Get-AffinityName $Sensor $VM; Problem = ''; Steps = @() }
    if ($Sensor -eq $VM) {
        $plan.Problem = "$VM is the sensor itself (name a source)"
        return $plan
    }
    foreach ($one in $Sensor, $VM) {
        if (@($State.Groups | Where-Object { $_.Name -eq $one }).Count -eq 0) {
            $plan.Problem = "the cluster has no VM $one as a role (Add-ClusterVirtualMachineRole)"
            return $plan
        }
    }
    $is = @($State.Rules | Where-Object { $_.Name -eq $plan.Name })
    $held = @(if ($is.Count -gt 0) { $is[0].Groups | Where-Object { $_ } })
    $missing = @($Sensor, $VM | Where-Object { $held -notcontains $_ })
    $others = @($held | Where-Object { $_ -notin $Sensor, $VM })
    $name = $plan.Name
    if ($is.Count -eq 0) {
        $plan.Steps += New-AffinityStep "affinity rule ${name}: absent -> same node" 'New-ClusterAffinityRule' @{
            Name = $name; RuleType = 'SameNode' }
    }
    if ($missing.Count -gt 0) {
        $plan.Steps += New-AffinityStep "affinity rule ${name}: add $($missing -join ', ')" 'Add-ClusterGroupToAffinityRule' @{
            Name = $name; Groups = [string[]]$missing }
    }
    if ($others.Count -gt 0) {
        $plan.Steps += New-AffinityStep "affinity rule ${name}: take off $($others -join ', ')" `
            'Remove-ClusterGroupFromAffinityRule' @{ Name = $name; Groups = [string[]]$others }
    }
    if ($is.Count -gt 0 -and ("$($is[0].RuleType)" -notin '2', 'SameNode' -or [int]$is[0].Enabled -ne 1)) {
        $plan.Steps += New-AffinityStep "affinity rule ${name}: same node, enabled" 'Set-ClusterAffinityRule' @{
            Name = $name; RuleType = 'SameNode'; Enabled = [uint32]1 }
    }
    $plan
}

function New-AffinityStep {
    param([string] $Text, [string] $Command, [hashtable] $Arguments)
    @{ Text = $Text; Command = $Command; Arguments = $Arguments }
}

# Rules of ours whose VMs match: @{ Name; Sensor; VM }.
function Select-Affinity {
    param($State, [string[]] $Sensor, [string[]] $VM)
    foreach ($rule in @($State.Rules | Sort-Object -Property Name)) {
        if (-not "$($rule.Name)".StartsWith($script:AffinityTag, [StringComparison]::Ordinal)) { continue }
        $names = $rule.Name.Substring($script:AffinityTag.Length) -split ' with ', 2
        if ($names.Count -ne 2) { continue }
        $fits = @($Sensor | Where-Object { $names[0] -like $_ }).Count -gt 0 -and
        @($VM | Where-Object { $names[1] -like $_ }).Count -gt 0
        if ($fits) { @{ Name = $rule.Name; Sensor = $names[0]; VM = $names[1] } }
    }
}

# Where a pair of VMs is: VMirror.Affinity.
function New-AffinityResult {
    param($State, [string] $Where, [string] $Sensor, [string] $VM, [string] $Verdict = '', [string] $Reason = '')
    $owners = @(foreach ($one in $Sensor, $VM) {
            $State.Groups | Where-Object { $_.Name -eq $one } | ForEach-Object { "$($_.OwnerNode)" }
        })
    if ($Verdict -eq '') {
        $plan = New-AffinityPlan $State $Sensor $VM
        $left = @($plan.Steps | ForEach-Object { $_.Text }) -join '; '
        $Verdict = if ($plan.Problem) { 'refused' } elseif ($left) { 'failed' } else { 'ready' }
        $Reason = "$($plan.Problem)$left"
    }
    New-TypedObject -Type 'Affinity' -Property ([ordered]@{
            Sensor = $Sensor; VM = $VM; Cluster = $Where; State = $Verdict; Reason = $Reason
            Together = $owners.Count -eq 2 -and $owners[0] -eq $owners[1]; Rule = Get-AffinityName $Sensor $VM
        })
}

# ---- Edges

# The cluster of a command: @{ Name; Group (arguments of Get-ClusterGroup); Rule (those of the rules' commands) }.
function Get-TargetCluster {
    param([string] $ComputerName, [string] $Cluster, [pscredential] $Credential)
    if ($ComputerName -and $Cluster) { throw 'give -ComputerName (a node) or -Cluster, not both' }
    if (-not (Get-Module -Name 'FailoverClusters' -ListAvailable)) {
        throw ('the PowerShell module FailoverClusters is not installed here (Install-WindowsFeature ' +
            'RSAT-Clustering-PowerShell)')
    }
    if (-not (Test-AffinityCommand)) {
        throw ('the module FailoverClusters here has no affinity rules: Windows Server 2022 and later have them ' +
            '(before: Set-ClusterOwnerNode -Group SENSOR -Owners NODE)')
    }
    $name = if ($ComputerName) { $ComputerName } else { $Cluster }
    if ($name -in '', '.') { return @{ Name = '.'; Group = @{}; Rule = @{} } }
    $session = $name
    if ($Credential) { $session = New-CimSession -ComputerName $name -Credential $Credential }
    @{ Name = $name; Group = @{ Cluster = $name }; Rule = @{ CimSession = $session } }
}

# The session that an account needed.
function Close-TargetCluster {
    param($Target)
    $session = Get-Value $Target.Rule 'CimSession'
    if ($null -ne $session -and $session -isnot [string]) { Remove-CimSession -CimSession $session }
}

function Test-AffinityCommand { [bool](Get-Command -Name 'New-ClusterAffinityRule' -ErrorAction SilentlyContinue) }

function Get-AffinityState {
    param($Target)
    $ErrorActionPreference = 'Stop'
    $group = $Target.Group
    $rule = $Target.Rule
    @{
        Groups = @(Get-ClusterGroup @group | Where-Object { "$($_.GroupType)" -in '111', 'VirtualMachine' })
        Rules = @(Get-ClusterAffinityRule @rule)
    }
}

# Carries out the steps that the person agrees to; true: all of them.
function Invoke-AffinityStep {
    param($Cmdlet, $Target, [object[]] $Step)
    $ErrorActionPreference = 'Stop'
    $rule = $Target.Rule
    $all = $true
    foreach ($one in $Step) {
        if (-not $Cmdlet.ShouldProcess("cluster $($Target.Name)", $one.Text)) { $all = $false; continue }
        $command = $one.Command
        $arguments = $one.Arguments
        $null = & $command @arguments @rule
    }
    $all
}
