# Stand-in for Microsoft's module FailoverClusters: the nodes, groups and affinity rules of the one cluster that the
# stand-in world has. The rules' commands are made of CIM: they have -CimSession, and no -Cluster.
Set-StrictMode -Version 3.0
Import-Module (Join-Path $PSScriptRoot '../StandIn/StandIn.psm1')

function Get-ClusterNode {
    [CmdletBinding()]
    param([Parameter(Position = 0)] [string[]] $Name, [string] $Cluster, $InputObject)
    $world = Get-StandInWorld
    if ($world.Cluster -eq '' -or ($Cluster -and $Cluster -ne $world.Cluster)) {
        $where = if ($Cluster) { $Cluster } else { 'the local computer' }
        $message = "The cluster service is not running.  Make sure that the service is running on all nodes in the cluster ($where)."
        $record = New-Object 'System.Management.Automation.ErrorRecord' (New-Object 'System.Exception' $message),
        'Get-ClusterNode,Microsoft.FailoverClusters.PowerShell.GetNodeCommand', 'ConnectionError', $null
        $PSCmdlet.ThrowTerminatingError($record)
    }
    foreach ($node in @($world.Hosts.Keys | Sort-Object)) {
        if ($Name -and $Name -notcontains $node) { continue }
        $state = if ($world.NodeState.Contains($node)) { $world.NodeState[$node] } else { 'Up' }
        [pscustomobject]@{ PSTypeName = 'Microsoft.FailoverClusters.PowerShell.ClusterNode'; Name = $node; State = $state }
    }
}

# The VMs of all nodes are roles, each in a group of its name; and the cluster's own group.
function Get-ClusterGroup {
    [CmdletBinding()]
    param([Parameter(Position = 0)] [string[]] $Name, [string] $Cluster, [guid] $VMId)
    $world = Get-StandInWorld
    Assert-Cluster $PSCmdlet $Cluster
    $groups = @(
        [pscustomobject]@{ Name = 'Cluster Group'; OwnerNode = $world.Local; State = 'Online'; GroupType = 'Cluster' }
        foreach ($node in @($world.Hosts.Keys | Sort-Object)) {
            foreach ($vm in $world.Hosts[$node].VMs) {
                [pscustomobject]@{ Name = $vm.Name; OwnerNode = $node; State = 'Online'; GroupType = 'VirtualMachine' }
            }
        })
    @($groups | Where-Object { -not $Name -or $Name -contains $_.Name })
}

function Assert-Cluster {
    param($Cmdlet, [string] $Name)
    $world = Get-StandInWorld
    if ($world.Cluster -ne '' -and (@('', $world.Cluster) + @($world.Hosts.Keys)) -contains $Name) { return }
    $text = "The cluster service is not running ($Name)."
    $record = New-Object 'System.Management.Automation.ErrorRecord' (New-Object 'System.Exception' $text), 'Cluster',
    'ConnectionError', $null
    $Cmdlet.ThrowTerminatingError($record)
}

# The rules of the world; the call is logged. -CimSession: a computer name or a session.
function Enter-Rule {
    param($Cmdlet, $CimSession, [switch] $Changes, [string] $Text = '')
    $name = if ($CimSession -is [string]) { $CimSession } elseif ($CimSession) { $CimSession.ComputerName } else { '' }
    Assert-Cluster $Cmdlet $name
    $world = Get-StandInWorld
    $null = Enter-StandIn $Cmdlet $world.Local -Changes:$Changes -Text $Text
    if (-not $world.Contains('Rules')) { $world['Rules'] = [ordered]@{} }
    , $world['Rules']
}

function Find-Rule {
    param($Cmdlet, $Rules, [string] $Name)
    if ($Rules.Contains($Name)) { return $Rules[$Name] }
    $text = "No MSFT_AffinityRule objects found with property 'Name' equal to '$Name'."
    $record = New-Object 'System.Management.Automation.ErrorRecord' (New-Object 'System.Exception' $text),
    'CmdletizationQuery_NotFound_Name', 'ObjectNotFound', $null
    $Cmdlet.ThrowTerminatingError($record)
}

function Get-ClusterAffinityRule {
    [CmdletBinding()]
    param([Parameter(Position = 0)] [string[]] $Name, $CimSession, [int] $ThrottleLimit, [switch] $AsJob)
    $rules = Enter-Rule $PSCmdlet $CimSession
    foreach ($one in @($rules.Keys)) {
        if ($Name -and $Name -notcontains $one) { continue }
        $held = $rules[$one]
        [pscustomobject]@{
            Name = $one; RuleType = [uint32]$held.RuleType; Enabled = [uint32]$held.Enabled; Groups = [string[]]@($held.Groups)
        }
    }
}

$script:RuleTypes = @{ SameFaultDomain = 1; SameNode = 2; DifferentFaultDomain = 3; DifferentNode = 4 }

function New-ClusterAffinityRule {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true, Position = 0)] [string] $Name,
        [ValidateSet('SameFaultDomain', 'SameNode', 'DifferentFaultDomain', 'DifferentNode')] [string] $RuleType,
        $CimSession, [int] $ThrottleLimit, [switch] $AsJob)
    $rules = Enter-Rule $PSCmdlet $CimSession -Changes -Text $Name
    if ($rules.Contains($Name)) { throw 'The object already exists.' }
    $rules[$Name] = @{ RuleType = $script:RuleTypes[$RuleType]; Enabled = 1; Groups = @() }
}

function Set-ClusterAffinityRule {
    [CmdletBinding()]
    param([Parameter(Position = 0)] [string[]] $Name,
        [ValidateSet('SameFaultDomain', 'SameNode', 'DifferentFaultDomain', 'DifferentNode')] [string] $RuleType,
        [uint32] $Enabled, $CimSession, [int] $ThrottleLimit, [switch] $AsJob, [switch] $PassThru)
    $rules = Enter-Rule $PSCmdlet $CimSession -Changes -Text "$Name"
    $rule = Find-Rule $PSCmdlet $rules "$Name"
    if ($PSBoundParameters.ContainsKey('RuleType')) { $rule.RuleType = $script:RuleTypes[$RuleType] }
    if ($PSBoundParameters.ContainsKey('Enabled')) { $rule.Enabled = $Enabled }
}

function Remove-ClusterAffinityRule {
    [CmdletBinding()]
    param([Parameter(Position = 0)] [string[]] $Name, $CimSession, [int] $ThrottleLimit, [switch] $AsJob, [switch] $PassThru)
    $rules = Enter-Rule $PSCmdlet $CimSession -Changes -Text "$Name"
    $null = Find-Rule $PSCmdlet $rules "$Name"
    $rules.Remove("$Name")
}

function Add-ClusterGroupToAffinityRule {
    [CmdletBinding()]
    param([Parameter(Position = 0)] [string[]] $Name, [Parameter(Mandatory = $true)] [string[]] $Groups,
        $CimSession, [int] $ThrottleLimit, [switch] $AsJob, [switch] $PassThru)
    $rules = Enter-Rule $PSCmdlet $CimSession -Changes -Text "$Name"
    $rule = Find-Rule $PSCmdlet $rules "$Name"
    $rule.Groups = @(@($rule.Groups) + $Groups | Select-Object -Unique)
}

function Remove-ClusterGroupFromAffinityRule {
    [CmdletBinding()]
    param([Parameter(Position = 0)] [string[]] $Name, [Parameter(Mandatory = $true)] [string[]] $Groups,
        $CimSession, [int] $ThrottleLimit, [switch] $AsJob, [switch] $PassThru)
    $rules = Enter-Rule $PSCmdlet $CimSession -Changes -Text "$Name"
    $rule = Find-Rule $PSCmdlet $rules "$Name"
    $rule.Groups = @($rule.Groups | Where-Object { $Groups -notcontains $_ })
}
