function Remove-VMirrorAffinity {
    <#
    .SYNOPSIS
    Removes the affinity rules of Set-VMirrorAffinity from a failover cluster.
    .DESCRIPTION
    Rules of other names are left alone; where there is none, nothing is done. The VMs stay where they are.
    .PARAMETER VMName
    Names of sources, with wildcards.
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
    None
    .EXAMPLE
    Remove-VMirrorAffinity -VMName dc1

    Removes the rule of dc1 in the cluster of this host.
    .EXAMPLE
    Remove-VMirrorAffinity -VMName * -SensorVMName SENSOR -Cluster hvc1 -WhatIf

    Shows the rules of SENSOR that would be removed.
    .LINK
    Set-VMirrorAffinity
    #>
    [CmdletBinding(SupportsShouldProcess = $true)]
    [OutputType([void])]
    param(
        [Parameter(Mandatory = $true, Position = 0, ValueFromPipelineByPropertyName = $true)]
        [Alias('Name')]
        [string[]] $VMName,
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
            $step = New-AffinityStep "affinity rule $($rule.Name): remove" 'Remove-ClusterAffinityRule' @{ Name = $rule.Name }
            $null = Invoke-AffinityStep $PSCmdlet $target @($step)
        }
    }
    end { Close-TargetCluster $target }
}
