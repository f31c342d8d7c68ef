function Test-VMirrorSession {
    <#
    .SYNOPSIS
    Compares the settings of mirroring sessions with what they should be, setting by setting.
    .DESCRIPTION
    Each setting of a session is one object with the value that is expected and the one that is there; what no
    setting shows (a sensor on another node, SR-IOV, VLANs that the monitor adapter loses) is one, too. Run it after
    a VM moved. It changes nothing. Whether copies really flow is measured by Test-VMirror.
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
    .PARAMETER Quiet
    Returns true or false alone: true if there is a session and every check passed.
    .INPUTS
    System.String, or objects of Get-VMirrorSession.
    .OUTPUTS
    VMirror.Check, or System.Boolean with -Quiet
    .EXAMPLE
    Test-VMirrorSession -Name dc1

    Shows each setting of the session dc1.
    .EXAMPLE
    Test-VMirrorSession -Cluster . | Where-Object { -not $_.Passed }

    Shows what is wrong anywhere in this host's cluster.
    .EXAMPLE
    if (-not (Get-VMirrorSession | Test-VMirrorSession -Quiet)) { exit 2 }

    Ends a script that watches with an exit status that can be alarmed on.
    .LINK
    about_VMirror
    #>
    [CmdletBinding(DefaultParameterSetName = 'ComputerName')]
    [OutputType('VMirror.Check', [bool])]
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
        [int] $ThrottleLimit = 16,
        [switch] $Quiet
    )
    begin { $names = New-Object 'System.Collections.Generic.List[string]' }
    process { foreach ($one in $Name) { $names.Add($one) } }
    end {
        $nodes = @(Get-TargetNode -ComputerName $ComputerName -Cluster $Cluster -Credential $Credential)
        $pairs = @(Get-MarkedOfNode -Cmdlet $PSCmdlet -Node $nodes -Name $names -ThrottleLimit $ThrottleLimit)
        $checks = @($pairs | ForEach-Object { ConvertTo-CheckResult -ComputerName $_.ComputerName -Marked $_.Marked })
        if ($Quiet) { $checks.Count -gt 0 -and @($checks | Where-Object { -not $_.Passed }).Count -eq 0 }
        else { $checks }
    }
}
