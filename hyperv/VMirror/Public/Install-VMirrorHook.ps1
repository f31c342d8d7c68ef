function Install-VMirrorHook {
    <#
    .SYNOPSIS
    Installs a scheduled task on hosts that acts when a live migration has ended there.
    .DESCRIPTION
    The task \vmirror\vmirror-hook starts on the events 20415, 20417 and 20418 of the log
    Microsoft-Windows-Hyper-V-VMMS-Admin, as SYSTEM, and runs Hook\Send-VMirrorEvent.ps1 of the module, which must be
    installed on each host. It tells an agent of the move by HTTPS, syncs the host's sessions, or both.
    A task of that name that is not this module's is left alone. A second run changes nothing.
    No vmirror agent takes such messages yet: until one does, -NotifyUri is for a web server of your own, and
    -SyncPath or -SyncUri is what helps.
    .PARAMETER NotifyUri
    Where the move is told, by POST of {"vmirror":1,"event":"migrated","host","eventId","time","vm","vmId"}.
    .PARAMETER SyncUri
    The document of sessions that the host is brought to after a move; see Sync-VMirror.
    .PARAMETER SyncPath
    The same, as a file on each host.
    .PARAMETER CertificateThumbprint
    The servers' certificate must be this one; without it, it must be trusted by the hosts.
    .PARAMETER ClientCertificateThumbprint
    A client certificate of each host's store LocalMachine\My that the servers want.
    .PARAMETER ModulePath
    Where the module is on the hosts.
    .PARAMETER DelaySec
    Seconds from the event to the start of the task.
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
    Install-VMirrorHook -SyncPath C:\ProgramData\vmirror\sessions.json -Cluster .

    Each node syncs its sessions with that file whenever a VM has moved.
    .EXAMPLE
    Install-VMirrorHook -NotifyUri https://sensor1:9480/hyperv/events -CertificateThumbprint $thumbprint -WhatIf

    Shows what would be installed on this host.
    .LINK
    Uninstall-VMirrorHook
    #>
    [CmdletBinding(SupportsShouldProcess = $true, DefaultParameterSetName = 'ComputerName')]
    [OutputType('VMirror.Hook')]
    param(
        [uri] $NotifyUri,
        [uri] $SyncUri,
        [string] $SyncPath = '',
        [string] $CertificateThumbprint = '',
        [string] $ClientCertificateThumbprint = '',
        [string] $ModulePath = '%ProgramFiles%\WindowsPowerShell\Modules\VMirror',
        [ValidateRange(0, 3600)]
        [int] $DelaySec = 2,
        [Parameter(ParameterSetName = 'ComputerName', ValueFromPipeline = $true, ValueFromPipelineByPropertyName = $true)]
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
        try {
            if (-not $NotifyUri -and -not $SyncUri -and -not $SyncPath) {
                throw 'there is nothing to do for the hook: give -NotifyUri, -SyncUri or -SyncPath'
            }
            if ($SyncUri -and $SyncPath) { throw 'give -SyncUri or -SyncPath, not both' }
            foreach ($uri in @($NotifyUri, $SyncUri | Where-Object { $_ })) {
                if (-not $uri.IsAbsoluteUri -or $uri.Scheme -ne 'https') { throw "$($uri): an https:// address is needed" }
            }
            $arguments = @{
                NotifyUri = if ($NotifyUri) { $NotifyUri.AbsoluteUri } else { '' }
                SyncUri = if ($SyncUri) { $SyncUri.AbsoluteUri } else { '' }
                SyncPath = $SyncPath
                CertificateThumbprint = ConvertTo-Thumbprint $CertificateThumbprint
                ClientCertificateThumbprint = ConvertTo-Thumbprint $ClientCertificateThumbprint
            }
            $task = New-HookXml -ModulePath $ModulePath -Argument $arguments -DelaySec $DelaySec
            $nodes = @(Get-TargetNode -ComputerName $names -Cluster $Cluster -Credential $Credential)
        } catch {
            $text = $_.Exception.Message
            $PSCmdlet.ThrowTerminatingError((New-ErrorRecord -Message $text -Id 'BadHook' -Category 'InvalidArgument'))
        }
        Invoke-HookChange -Cmdlet $PSCmdlet -Node $nodes -Task $task -ThrottleLimit $ThrottleLimit
    }
}
