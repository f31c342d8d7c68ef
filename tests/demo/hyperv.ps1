# The PowerShell half of hyperv.py. Prints tables; writes one JSON object to $Result.
param([string] $Result, [switch] $Keep)
$ErrorActionPreference = 'Stop'
$hyperv = Join-Path $PSScriptRoot '../hyperv'
$env:PSModulePath = (Join-Path $hyperv 'standins') + [IO.Path]::PathSeparator + $env:PSModulePath
. (Join-Path $hyperv 'support/World.ps1')
. (Join-Path $hyperv 'support/Server.ps1')

function Write-Step { param([string] $Text) [Console]::Error.WriteLine("== $Text") }
function Show-Table { param([string] $Title, $Value) "`n--- $Title"; ($Value | Format-Table | Out-String -Width 180).Trim() }
function Assert-That { param([bool] $Holds, [string] $What) if (-not $Holds) { throw "it is not so: $What" } }

# Frames of a VM that talks with its peer, Kerberos and Modbus/TCP, both ways.
function Add-Talk {
    param($Of, [string] $Mac)
    $ip = '4500002800010000400600000A0000010A000002'
    $pairs = @('C0000058', '0058C000'), @('C00001F6', '01F6C000')
    $Of.Traffic[$Mac] = @(for ($i = 0; $i -lt 40; $i++) {
            $sent, $answer = $pairs[$i % 2]
            foreach ($hex in "00155D0000AA$($Mac)0800$ip$sent", "$($Mac)00155D0000AA0800$ip$answer") {
                $hex += '00' * 16
                , [byte[]]@(for ($j = 0; $j -lt $hex.Length; $j += 2) { [Convert]::ToByte($hex.Substring($j, 2), 16) })
            }
        })
}

$told = [ordered]@{ error = '' }
$server = $null
try {
    $world = New-StandInWorld
    $world.Cluster = 'hvc1'
    $one = New-TestHost hv1 SENSOR-1 dc1
    $two = New-TestHost hv2 SENSOR-2 plc
    $before = @(Get-StandInPicture hv1), @(Get-StandInPicture hv2)
    Show-Table 'Get-VMirrorHost -Cluster hvc1' (Get-VMirrorHost -Cluster hvc1)

    Write-Step 'a document of sessions on an HTTPS server, whose certificate the module knows by its thumbprint'
    $server = Start-TestServer
    $uri = "https://localhost:$($server.Port.self)/sessions"
    $document = @{ vmirror = 1; owner = 'agent'; sessions = @(foreach ($vm in 'dc1', 'plc') {
                @{ name = $vm; source = @{ vm = $vm }; destination = @{ vm = @('SENSOR-1', 'SENSOR-2'); adapter = 'Monitor' } }
            })
    } | ConvertTo-Json -Depth 6
    $null = Invoke-RestMethod -Method Put -Uri $uri -Body $document -SkipCertificateCheck
    $sync = @{ Uri = $uri; CertificateThumbprint = Get-TestThumbprint self; Cluster = 'hvc1' }

    Write-Step 'Sync-VMirror -WhatIf, then in earnest, then once more'
    $null = Sync-VMirror @sync -WhatIf
    Assert-That ((Get-ChangeCount) -eq 0) '-WhatIf changed nothing'
    $sessions = Sync-VMirror @sync
    Show-Table 'Sync-VMirror -Uri ... -Cluster hvc1' $sessions
    Assert-That (@($sessions | Where-Object State -eq ready).Count -eq 2) 'both sessions are ready'
    $told.applied = @($sessions | Select-Object Name, ComputerName, State, Reason)
    $changes = Get-ChangeCount
    $null = Sync-VMirror @sync
    Assert-That ((Get-ChangeCount) -eq $changes) 'the second run changed nothing'

    Write-Step 'dc1 moves from hv1 to hv2'
    $mac = (Get-TestAdapter $one dc1 'Network Adapter').Mac
    Move-StandInVM dc1 hv1 hv2
    Add-Talk $two $mac
    Add-Talk $two (Get-TestAdapter $two plc 'Network Adapter').Mac
    $sessions = Get-VMirrorSession -Cluster hvc1
    Show-Table 'Get-VMirrorSession -Cluster hvc1' $sessions
    Assert-That ((@($sessions | Where-Object { $_.State -eq 'ready' }).ComputerName -join ' ') -eq 'hv2 hv2') 'both are ready on hv2'
    $told.sessions = @($sessions | Select-Object Name, ComputerName, State, Reason, Source, Destination)

    Write-Step 'Test-VMirror on hv2: settings, counters, a capture'
    $world.Local = 'hv2'
    $checks = Test-VMirror -Seconds 1
    Show-Table 'Test-VMirror' $checks
    Assert-That (@($checks | Where-Object { $_.Passed -eq $false }).Count -eq 0) 'no check failed'
    $told.checks = @($checks | Select-Object Session, ComputerName, Check, Expected, Actual, Passed, Remedy)
    $told.adapters = @((Get-VMirrorHost -Cluster hvc1).Adapters | Select-Object VMName, Name, SwitchName, Mirroring, Owner, Vlan)
    Show-Table '(Get-VMirrorHost -Cluster hvc1).Adapters' (Get-VMirrorHost -Cluster hvc1).Adapters

    if (-not $Keep) {
        Write-Step 'dc1 goes back, and all is undone'
        Move-StandInVM dc1 hv2 hv1
        Remove-VMirrorSession -Name * -Cluster hvc1
        Assert-That ((Get-StandInPicture hv1) -eq $before[0] -and (Get-StandInPicture hv2) -eq $before[1]) 'all is as it was'
        $told.undone = $true
        $told.calls = @(Get-StandInLog).Count
    } else { "`nIt stays up: Get-VMirrorSession -Cluster hvc1, Move-StandInVM dc1 hv2 hv1, Get-Help about_VMirror; exit ends it." }
} catch { $told.error = "$_" } finally { Stop-TestServer $server }
$told | ConvertTo-Json -Depth 6 | Set-Content -LiteralPath $Result -Encoding utf8
