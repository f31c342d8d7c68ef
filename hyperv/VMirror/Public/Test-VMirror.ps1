function Test-VMirror {
    <#
    .SYNOPSIS
    Proves that mirroring sessions work: settings, counters, and an independent capture, by the vendors' guides.
    .DESCRIPTION
    For each session it checks every setting; then it waits and compares what the source's adapter moved with what
    the sensor's monitor adapter received (the host's counters), and with a capture of the source's side by Windows'
    own capture commands. The capture also answers what the sensor vendors' guides ask: unicast between third
    parties, both directions (of Kerberos and LDAP, too), not mostly broadcast, the VLANs that occur.
    Passed is true, false, or empty where it can't be told; Remedy says what to do. The capture is made on this host
    alone, at most 200,000 frames of 128 bytes, in a file of at most 250 MB that is removed; of other hosts the
    counters are compared. It changes no setting.
    .PARAMETER Name
    Names of sessions; wildcards are allowed. All, if none is given.
    .PARAMETER Seconds
    How long to watch. The guides ask for some minutes.
    .PARAMETER NoCapture
    Compares counters alone.
    .PARAMETER ComputerName
    The hosts; this one, if none is named.
    .PARAMETER Cluster
    All nodes of this failover cluster, in parallel; `.` is the cluster that this host is in.
    .PARAMETER Credential
    The account to log on to the hosts with; yours, if none is given.
    .PARAMETER ThrottleLimit
    How many hosts are watched at one time.
    .PARAMETER Quiet
    Returns true or false alone: true if there is a session, none of its checks failed, and copies were seen.
    .INPUTS
    System.String, or objects of Get-VMirrorSession.
    .OUTPUTS
    VMirror.Check, or System.Boolean with -Quiet
    .EXAMPLE
    Test-VMirror -Name dc1 -Seconds 120

    Watches the session dc1 for two minutes.
    .EXAMPLE
    Test-VMirror -Cluster hvc1 | Where-Object { $_.Passed -eq $false } | Format-List

    Shows what is wrong on any node, with the remedies.
    .EXAMPLE
    if (-not (Test-VMirror -Quiet)) { exit 2 }

    Ends a script with a status that can be alarmed on.
    .LINK
    Test-VMirrorSession
    #>
    [CmdletBinding(DefaultParameterSetName = 'ComputerName')]
    [OutputType('VMirror.Check', [bool])]
    param(
        [Parameter(Position = 0, ValueFromPipeline = $true, ValueFromPipelineByPropertyName = $true)]
        [SupportsWildcards()]
        [string[]] $Name,
        [ValidateRange(1, 3600)]
        [int] $Seconds = 30,
        [switch] $NoCapture,
        [Parameter(ParameterSetName = 'ComputerName')]
        [string[]] $ComputerName,
        [Parameter(Mandatory = $true, ParameterSetName = 'Cluster')]
        [string] $Cluster,
        [pscredential] $Credential,
        [ValidateRange(1, 64)]
        [int] $ThrottleLimit = 16,
        [switch] $Quiet
    )
    begin { $names = New-Object 'System.Collections.Generic.List[string]' }
    process { foreach ($one in $Name) { $names.Add($one) } }
    end {
        $nodes = @(Get-TargetNode -ComputerName $ComputerName -Cluster $Cluster -Credential $Credential)
        $work = @{}
        foreach ($node in $nodes) {
            $work[$node.Name] = @{ Name = $names.ToArray(); Seconds = $Seconds; Capture = -not $NoCapture }
        }
        $reported = @{}
        $checks = @()
        $found = @()
        $results = Invoke-OnNode -Node $nodes -Function 'Measure-Host' -Argument $work -ThrottleLimit $ThrottleLimit `
            -TimeoutSec ($Seconds + 600)
        foreach ($result in $results) {
            if ($result.Error) { Write-NodeError $PSCmdlet $result.Node.Name $result.Error $reported; continue }
            $found += @($result.Output.Names)
            $checks += @($result.Output.Checks)
        }
        Write-MissingName -Cmdlet $PSCmdlet -Node $nodes -Name $names -Found $found
        if (-not $Quiet) { return $checks }
        $failed = @($checks | Where-Object { $_.Passed -eq $false }).Count + $reported.Count
        $seen = @($checks | Where-Object { $_.Check -eq 'traffic on the monitor adapter' -and $_.Passed }).Count
        $failed -eq 0 -and $seen -gt 0
    }
}
