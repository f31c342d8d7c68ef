# What the scheduled task of Install-VMirrorHook runs when a live migration ended. Its exit status is the task's last
# result: 0, or 1 when telling or syncing failed.
param(
    [long] $RecordId,
    [string] $NotifyUri = '',
    [string] $SyncUri = '',
    [string] $SyncPath = '',
    [string] $CertificateThumbprint = '',
    [string] $ClientCertificateThumbprint = ''
)
$ErrorActionPreference = 'Stop'
$arguments = @{}
foreach ($name in $PSBoundParameters.Keys) { $arguments[$name] = $PSBoundParameters[$name] }
try {
    Import-Module (Join-Path (Split-Path -Parent $PSScriptRoot) 'VMirror.psd1')
    $problems = @(& (Get-Module -Name VMirror) { param($Arguments) Invoke-Hook @Arguments } $arguments)
} catch { $problems = @("$_") }
foreach ($problem in $problems) { [Console]::Error.WriteLine($problem) }
exit [Math]::Min($problems.Count, 1)
