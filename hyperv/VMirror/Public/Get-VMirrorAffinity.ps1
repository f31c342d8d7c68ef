function Get-VMirrorAffinity {
    <#
    .SYNOPSIS
    Tells which sensors a failover cluster is asked to keep with their sources.
    .DESCRIPTION
    Lists the affinity rules of Set-VMirrorAffinity: whether each is as it was made, and whether the two VMs are on one
    node now. Rules of other names are not listed; Get-ClusterAffinityRule has them all.
    .PARAMETER VMName
    Names of sources, with wildcards; all, if none is given.
    .PARAMETER SensorVMName
    Names of sensors, with wildcards; all, if none is given.
    .PARAMETER ComputerName
    A node of the cluster, to be asked in place of -Cluster.
    .PARAMETER Cluster
    The failover cluster; the one that this host is in, if none is named.
    .PARAMETER Credential
    The account to log on with for the rules; yours, if none is given.
    .INPUTS
    Objects with the property VMName or Name, for example VMs of Get-VM.
    .OUTPUTS
    VMirror.Affinity
    .EXAMPLE
    Get-VMirrorAffinity

    All of the cluster of this host.
    .EXAMPLE
    Get-VMirrorAffinity -SensorVMName SENSOR -Cluster hvc1

    The sources that the cluster hvc1 keeps with SENSOR.
    .LINK
    Set-VMirrorAffinity
    #>
    [CmdletBinding()]
    [OutputType('VMirror.Affinity')]
    param(
        [Parameter(Position = 0, ValueFromPipelineByPropertyName = $true)]
        [Alias('Name')]
        [string[]] $VMName = '*',
        [string[]] $SensorVMName = '*',
        [string] $ComputerName,
        [string] $Cluster,
        [pscredential] $Credential
    )
    begin {
        $target = Get-TargetCluster -ComputerName $ComputerName -Cluster $Cluster -Credential $Credential
        $state = Get-AffinityState $target
    }
    process {
        foreach ($rule in Select-Affinity $state $SensorVMName $VMName) {
            New-AffinityResult $state $target.Name $rule.Sensor $rule.VM
        }
    }
    end { Close-TargetCluster $target }
}
