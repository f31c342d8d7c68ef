# Stand-in for Microsoft's module FailoverClusters: the nodes of the one cluster that the stand-in world has.
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
