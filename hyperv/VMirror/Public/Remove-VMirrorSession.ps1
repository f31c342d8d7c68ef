function Remove-VMirrorSession {
    <#
    .SYNOPSIS
    Undoes mirroring sessions, setting by setting.
    .DESCRIPTION
    Each setting that only these sessions need goes back to what it was before them: port mirroring and VLANs of
    adapters, the monitoring mode of the external port, the NDIS capture extension, and an adapter or a switch that
    was made for them. A setting that another session needs stays. What somebody else set or changed since is left
    as it is, with a warning. A run that was cut off is finished by the next one.
    .PARAMETER Name
    Names of sessions; wildcards are allowed.
    .PARAMETER ComputerName
    The hosts; this one, if none is named.
    .PARAMETER Cluster
    All nodes of this failover cluster, in parallel; `.` is the cluster that this host is in.
    .PARAMETER Credential
    The account to log on to the hosts with; yours, if none is given.
    .PARAMETER ThrottleLimit
    How many hosts are worked on at one time.
    .INPUTS
    System.String, or objects of Get-VMirrorSession.
    .OUTPUTS
    None
    .EXAMPLE
    Remove-VMirrorSession -Name dc1

    Undoes the session dc1 on this host.
    .EXAMPLE
    Get-VMirrorSession | Remove-VMirrorSession -WhatIf

    Shows what would be undone if all sessions of this host were removed.
    .EXAMPLE
    Remove-VMirrorSession -Name * -Cluster hvc1

    Takes everything off the cluster that this module set.
    .LINK
    about_VMirror
    #>
    [CmdletBinding(SupportsShouldProcess = $true, DefaultParameterSetName = 'ComputerName')]
    [OutputType([void])]
    param(
        [Parameter(Mandatory = $true, Position = 0, ValueFromPipeline = $true, ValueFromPipelineByPropertyName = $true)]
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
        $scope = New-NameScope -Pattern $names.ToArray()
        $null = Invoke-Change -Cmdlet $PSCmdlet -Node $nodes -Scope $scope -Alone $true -ThrottleLimit $ThrottleLimit
    }
}
