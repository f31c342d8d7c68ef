function Get-VMirrorHost {
    <#
    .SYNOPSIS
    Gets what hosts have to do with mirroring: switches, adapters, what is ours, what can't be mirrored and why.
    .DESCRIPTION
    Reads Hyper-V hosts and changes nothing. Each host is one object with its virtual switches and the network
    adapters of its VMs. `Problem` of an adapter says why its frames can't be mirrored; `Owner` of a setting says
    whose it is: ours (vmirror), somebody else's (foreign), or nobody's.
    .PARAMETER ComputerName
    Hosts to read; this one, if none is named.
    .PARAMETER Cluster
    Reads all nodes of this failover cluster, in parallel; `.` is the cluster that this host is in.
    .PARAMETER Credential
    The account to log on to the hosts with; yours, if none is given.
    .PARAMETER ThrottleLimit
    How many hosts are read at one time.
    .INPUTS
    System.String. Names of hosts.
    .OUTPUTS
    VMirror.Host
    .EXAMPLE
    Get-VMirrorHost

    Shows this host.
    .EXAMPLE
    (Get-VMirrorHost -Cluster hvc1).Adapters | Where-Object Problem | Format-Table VMName, Name, Problem

    Lists all network adapters of the cluster that can't be mirrored, with the reasons.
    .LINK
    about_VMirror
    #>
    [CmdletBinding(DefaultParameterSetName = 'ComputerName')]
    [OutputType('VMirror.Host')]
    param(
        [Parameter(Position = 0, ParameterSetName = 'ComputerName', ValueFromPipeline = $true,
            ValueFromPipelineByPropertyName = $true)]
        [Alias('PSComputerName')]
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
        $reported = @{}
        foreach ($result in Invoke-OnNode -Node $nodes -Function 'Get-HostState' -ThrottleLimit $ThrottleLimit) {
            if ($result.Error) { Write-NodeError $PSCmdlet $result.Node.Name $result.Error $reported }
            else { ConvertTo-HostResult -State $result.Output }
        }
    }
}
