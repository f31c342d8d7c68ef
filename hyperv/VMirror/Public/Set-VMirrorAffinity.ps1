function Set-VMirrorAffinity {
    <#
    .SYNOPSIS
    Has a failover cluster keep a sensor with its sources, by affinity rules.
    .DESCRIPTION
    Hyper-V mirrors within one host only: a sensor on another node than its source receives nothing. For each source
    a rule of the type SameNode is made, named `vmirror hand: SENSOR with VM`; one that was changed is set right.
    Rules of other names are left alone. The module moves no VM: the cluster does, by the rule. It needs Windows
    Server 2022 or later. With a sensor on each node no rule is needed.
    .PARAMETER VMName
    The sources: names of VMs that are roles of the cluster.
    .PARAMETER SensorVMName
    The sensor: a VM that is a role of the cluster, too.
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
    Set-VMirrorAffinity -VMName dc1, dc2 -SensorVMName SENSOR

    Keeps dc1 and dc2 on the node of SENSOR, in the cluster of this host.
    .EXAMPLE
    Get-VM -Name dc* | Set-VMirrorAffinity -SensorVMName SENSOR -Cluster hvc1 -WhatIf

    Shows the rules that would be made.
    .LINK
    Get-VMirrorAffinity
    #>
    [CmdletBinding(SupportsShouldProcess = $true)]
    [OutputType('VMirror.Affinity')]
    param(
        [Parameter(Mandatory = $true, Position = 0, ValueFromPipelineByPropertyName = $true)]
        [Alias('Name')]
        [string[]] $VMName,
        [Parameter(Mandatory = $true)]
        [string] $SensorVMName,
        [string] $ComputerName,
        [string] $Cluster,
        [pscredential] $Credential
    )
    begin { $names = New-Object 'System.Collections.Generic.List[string]' }
    process { foreach ($name in $VMName) { $names.Add($name) } }
    end {
        $target = Get-TargetCluster -ComputerName $ComputerName -Cluster $Cluster -Credential $Credential
        $state = Get-AffinityState $target
        $declined = @{}
        foreach ($name in @($names | Select-Object -Unique)) {
            $plan = New-AffinityPlan $state $SensorVMName $name
            if (-not (Invoke-AffinityStep $PSCmdlet $target $plan.Steps)) { $declined[$name] = $true }
        }
        $state = Get-AffinityState $target
        Close-TargetCluster $target
        foreach ($name in @($names | Select-Object -Unique)) {
            $more = @{}
            if ($declined[$name] -and $WhatIfPreference) {
                $more = @{ Verdict = 'planned'; Reason = 'nothing was changed (-WhatIf)' }
            }
            $result = New-AffinityResult $state $target.Name $SensorVMName $name @more
            if ($result.State -eq 'refused') {
                $PSCmdlet.WriteError((New-ErrorRecord -Message "cluster $($target.Name): $($result.Reason)" -Id 'Affinity' -Target $name))
            }
            $result
        }
    }
}
