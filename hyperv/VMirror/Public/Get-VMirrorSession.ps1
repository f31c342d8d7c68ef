function Get-VMirrorSession {
    <#
    .SYNOPSIS
    Gets the mirroring sessions that this module made on hosts, with their states.
    .DESCRIPTION
    Reads the marks in the notes of VMs and switches and compares them with the settings. A session is

      ready    every setting is as asked (Test-VMirror proves that copies flow)
      standby  the destination is ready, the source VM is on another node
      failed   a setting is not as asked, or copies can't flow; Reason says which and why
    .PARAMETER Name
    Names of sessions; wildcards are allowed. All, if none is given.
    .PARAMETER ComputerName
    Hosts to read; this one, if none is named.
    .PARAMETER Cluster
    Reads all nodes of this failover cluster, in parallel; `.` is the cluster that this host is in.
    .PARAMETER Credential
    The account to log on to the hosts with; yours, if none is given.
    .PARAMETER ThrottleLimit
    How many hosts are read at one time.
    .INPUTS
    System.String. Names of sessions.
    .OUTPUTS
    VMirror.Session
    .EXAMPLE
    Get-VMirrorSession

    Lists the sessions on this host.
    .EXAMPLE
    Get-VMirrorSession -Name dc* -Cluster hvc1 | Where-Object State -ne ready

    Lists those of the cluster whose names begin with dc and that are not ready.
    .LINK
    about_VMirror
    #>
    [CmdletBinding(DefaultParameterSetName = 'ComputerName')]
    [OutputType('VMirror.Session')]
    param(
        [Parameter(Position = 0, ValueFromPipeline = $true, ValueFromPipelineByPropertyName = $true)]
        [SupportsWildcards()]
        [string[]] $Name,
        [Parameter(ParameterSetName = 'ComputerName')]
        [string[]] $ComputerName,
        [Parameter(Mandatory = $true, ParameterSetName = 'Cluster')]
        [string] $Cluster,
        [pscredential] $Credential,
        [ValidateRange(1, 64)]
        [int] $ThrottleLimit = 16
    )
    begin { $names = New-Object 'System.Collections.Generic.List[string]' }
    process { foreach ($one in $Name) { $names.Add($one) } }
    end {
        $nodes = @(Get-TargetNode -ComputerName $ComputerName -Cluster $Cluster -Credential $Credential)
        foreach ($pair in Get-MarkedOfNode -Cmdlet $PSCmdlet -Node $nodes -Name $names -ThrottleLimit $ThrottleLimit) {
            ConvertTo-MarkedResult -ComputerName $pair.ComputerName -Marked $pair.Marked
        }
    }
}
