# Runs the Pester files of this folder and prints each test as GoogleTest does. run.py calls it.
param([string] $Pester, [int] $AtLeast, [string] $Name)
$ErrorActionPreference = 'Stop'
Import-Module $Pester
# The stand-ins are found as Windows' modules are; they come first.
$env:PSModulePath = (Join-Path $PSScriptRoot 'standins') + [IO.Path]::PathSeparator + $env:PSModulePath
$configuration = New-PesterConfiguration
$configuration.Run.Path = @($Name -split ',' | ForEach-Object { Join-Path $PSScriptRoot "$_.Tests.ps1" })
$configuration.Run.PassThru = $true
$configuration.Output.Verbosity = 'None'
$result = Invoke-Pester -Configuration $configuration

$names = @{}
foreach ($test in $result.Tests) {
    $path = ($test.ExpandedPath -replace '[^A-Za-z0-9_./]+', '_').Trim('_')
    $names[$path] = [int]$names[$path] + 1
    if ($names[$path] -gt 1) { $path += "_$($names[$path])" }
    $took = [int]$test.Duration.TotalMilliseconds
    "[ RUN      ] $path"
    if ($test.Result -eq 'Passed') { "[       OK ] $path ($took ms)"; continue }
    if ($test.Result -in 'Skipped', 'Inconclusive', 'NotRun') {
        "Skipped`n$($test.Result)"
        "[  SKIPPED ] $path ($took ms)"
        continue
    }
    foreach ($record in $test.ErrorRecord) {
        "$record"
        @("$($record.ScriptStackTrace)" -split "`n" | Where-Object { $_ -like '*hyperv*' -and $_ -notlike '*Pester.*' }) -join "`n"
    }
    "[  FAILED  ] $path ($took ms)"
}
$failed = $result.FailedCount + $result.FailedBlocksCount + $result.FailedContainersCount
foreach ($container in $result.Containers) { foreach ($record in $container.ErrorRecord) { "$($container): $record" } }
foreach ($block in $result.FailedBlocks) { foreach ($record in $block.ErrorRecord) { "$($block.ExpandedPath): $record" } }
"$($result.PassedCount) of $($result.TotalCount) tests passed in PowerShell $($PSVersionTable.PSVersion)"
if ($result.PassedCount -lt $AtLeast) {
    "only $($result.PassedCount) tests passed, there are at least $AtLeast"
    $failed++
}
exit [Math]::Min($failed, 1)
