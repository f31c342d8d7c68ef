function Uninstall-VMirrorHook {
    <#
    .SYNOPSIS
    Removes the scheduled task of Install-VMirrorHook from hosts.
    .DESCRIPTION
    A task \vmirror\vmirror-hook that is not this module's is left alone; where there is none, nothing is done.
    .PARAMETER ComputerName
    The hosts; this one, if none is named.
    .PARAMETER Cluster
    All nodes of this failover cluster, in parallel; `.` is the cluster that this host is in.
    .PARAMETER Credential
    The account to log on to the hosts with; yours, if none is given.
    .PARAMETER ThrottleLimit
    How many hosts are worked on at one time.
    .INPUTS
    System.String. Names of hosts.
    .OUTPUTS
    VMirror.Hook
    .EXAMPLE
    Uninstall-VMirrorHook

    Removes the task from this host.
    .EXAMPLE
    Uninstall-VMirrorHook -Cluster hvc1 -WhatIf

    Shows the nodes from which the task would be removed.
    .LINK
    Install-VMirrorHook
    #>
    [CmdletBinding(SupportsShouldProcess = $true, DefaultParameterSetName = 'ComputerName')]
    [OutputType('VMirror.Hook')]
    param(
        [Parameter(Position = 0, ParameterSetName = 'ComputerName', ValueFromPipeline = $true,
            ValueFromPipelineByPropertyName = $true)]
        [string[]] $ComputerName,
        [Parameter(Mandatory = $true, ParameterSetName = 'Cluster')]
        [string] $Cluster,
        [pscredential] $Credential,
        [ValidateRange(1, 64)]
        [int] $ThrottleLimit = 16
    )
    begin { $names = New-Object 'System.Collections.Generic.List[string]' }
    process { foreach ($name in $ComputerName) { $names.Add($name) } }
    end {
        $nodes = @(Get-TargetNode -ComputerName $names -Cluster $Cluster -Credential $Credential)
        Invoke-HookChange -Cmdlet $PSCmdlet -Node $nodes -ThrottleLimit $ThrottleLimit
    }
}
