# Does a session's traffic flow? Counters and a capture, compared. Pure parts first.

function New-Check {
    param([string] $Session, [string] $ComputerName, [string] $Check, [string] $Expected, [string] $Actual, $Passed,
        [string] $Remedy = '')
    New-TypedObject -Type 'Check' -Property ([ordered]@{
            Session = $Session; ComputerName = $ComputerName; Check = $Check; Expected = $Expected; Actual = $Actual
            Passed = $Passed; Remedy = $Remedy
        })
}

# Counters before and after -> frames of each adapter (both directions: which side the counters call received is not
# documented). Keys: adapter's NIC GUID in capitals.
function Get-CounterDelta {
    param([object[]] $Before, [object[]] $After)
    $first = @{}
    foreach ($row in $Before) { $first[$row.Name] = $row }
    $delta = @{}
    foreach ($row in $After) {
        if (-not $first.ContainsKey($row.Name)) { continue }
        $nic = @("$($row.Name)" -split '--')[-1].ToUpperInvariant()
        $frames = [long]($row.PacketsReceivedPersec - $first[$row.Name].PacketsReceivedPersec) +
        [long]($row.PacketsSentPersec - $first[$row.Name].PacketsSentPersec)
        $delta[$nic] = $frames
    }
    $delta
}

# 'Microsoft:VM\NIC' -> NIC
function Get-NicOfAdapter {
    param([string] $AdapterId)
    @($AdapterId -split '\\')[-1].ToUpperInvariant()
}

# A marked session and what was measured -> checks. $Frames: bytes of the capture, $null: there was none ($NoCapture
# says why). Passed: true, false, or nothing where it can't be told.
function Get-ProofCheck {
    param($Marked, [string] $ComputerName, [hashtable] $Delta, $Frames, [string[]] $Mac, [string] $NoCapture)
    $check = @{ Session = $Marked.Name; ComputerName = $ComputerName }
    $nics = { param($Value) @($Marked.Settings | Where-Object { $_.Kind -eq 'mode' -and $_.Mark.Now -eq $Value } |
                ForEach-Object { Get-NicOfAdapter $_.On }) }
    $moved = [long]0
    foreach ($nic in (& $nics 'Source')) { $moved += [long](Get-Value $Delta $nic 0) }
    $copied = [long]0
    foreach ($nic in (& $nics 'Destination')) { $copied += [long](Get-Value $Delta $nic 0) }
    $external = @($Marked.Settings | Where-Object { $_.Kind -eq 'external' }).Count -gt 0
    if ($copied -gt 0) { New-Check @check 'traffic on the monitor adapter' 'frames' "$copied frames" $true }
    elseif ($moved -gt 0 -or $external) {
        New-Check @check 'traffic on the monitor adapter' 'frames' '0 frames' $false ('no traffic detected: are sensor and ' +
            'source on one switch, the monitor adapter connected, its VM running?')
    } else {
        New-Check @check 'traffic on the monitor adapter' 'frames' '0 frames' $null 'nobody talked: make some traffic'
    }
    if ($external -and $moved -eq 0) {
        New-Check @check 'copies are complete' '' '' $null 'the external port has no counter to compare with'
    } elseif ($moved -gt 0) {
        $passed = $copied -ge [Math]::Floor(0.99 * $moved)
        New-Check @check 'copies are complete' "99% of $moved frames" "$copied frames" $passed $(if (-not $passed) {
                'copies are lost: VLANs of the monitor adapter, SR-IOV of the source, load of the host' })
    }
    if ($null -eq $Frames) {
        New-Check @check 'independent capture' 'frames of the source' 'none was made' $null $NoCapture
        return
    }
    $seen = Measure-Frame -Frame $Frames -Mac $Mac
    if ($seen.Frames -eq 0) {
        $passed = if ($moved -gt 0) { $false } else { $null }
        New-Check @check 'independent capture' 'frames of the source' 'no frames' $passed 'make some traffic'
        return
    }
    $passed = $copied -ge [Math]::Floor(0.99 * $seen.Frames)
    New-Check @check 'copies against the capture' "99% of $($seen.Frames) captured" "$copied frames" $passed $(if (-not $passed) {
            'frames that the source''s port moved did not reach the monitor adapter' })
    New-Check @check 'unicast with third parties' 'unicast frames' "$($seen.Unicast) with $($seen.Peers) peers" ($seen.Unicast -gt 0) $(
        if ($seen.Unicast -eq 0) { 'only what is flooded anyhow was seen: does the source talk?' })
    New-Check @check 'both directions' 'sent and received' "$($seen.Sent) sent, $($seen.Received) received" `
        ($seen.Sent -gt 0 -and $seen.Received -gt 0) $(
        if (-not ($seen.Sent -and $seen.Received)) { 'one direction only: does the peer answer?' })
    $part = [int](100 * $seen.Flooded / $seen.Frames)
    New-Check @check 'not mostly broadcast' 'at most 50%' "$part% to groups, $($seen.Arp) ARP" ($part -le 50) $(
        if ($part -gt 50) { 'a healthy mirror shows mostly unicast; wait longer or make traffic' })
    foreach ($name in $seen.Services.Keys) {
        $sent, $got = $seen.Services[$name]
        New-Check @check "both directions of $name" 'sent and received' "$sent sent, $got received" ($sent -gt 0 -and $got -gt 0) $(
            if (-not ($sent -and $got)) { 'one direction only: a NIC or a way that is not mirrored' })
    }
    New-Check @check 'VLANs seen' '' $(if ($seen.Vlans.Count) { $seen.Vlans -join ', ' } else { 'untagged alone' }) $null
}

# ---- Edges ----

# One host: its sessions of those names, their settings, and what moved in that many seconds.
function Measure-Host {
    param([hashtable] $Node, [string[]] $Name, [int] $Seconds, [bool] $Capture)
    $ErrorActionPreference = 'Stop'
    $state = Get-HostState -Node $Node
    $sessions = @(Get-MarkedSession $state | Where-Object { Test-NameMatch $_.Name $Name })
    $measured = @(Invoke-WithCim -Node $Node -Do {
            param($Cim)
            $none = ''
            if (-not $Capture) { $none = 'left out by -NoCapture' }
            elseif ($Node.Count -gt 0) { $none = 'a capture is read on its host alone: run Test-VMirror there' }
            $macs = @{}
            foreach ($session in $sessions) { $macs[$session.Key] = @(Get-MacOfSession -State $state -Marked $session) }
            $all = @($macs.Values | ForEach-Object { $_ } | Select-Object -Unique)
            if (-not $none -and $all.Count -eq 0) { $none = 'no source VM is here' }
            $class = 'Win32_PerfRawData_NvspNicStats_HyperVVirtualNetworkAdapter'
            $before = @(Get-CimInstance -ClassName $class @Cim)
            $frames = $null
            if ($none) { Start-Sleep -Seconds $Seconds }
            else {
                try { $frames = @(Get-CapturedFrame -Mac $all -Seconds $Seconds) }
                catch { $none = "the capture failed: $($_.Exception.Message)" }
            }
            $after = @(Get-CimInstance -ClassName $class @Cim)
            $delta = Get-CounterDelta -Before $before -After $after
            foreach ($session in $sessions) {
                $own = $null
                if (-not $none) { $own = @(Select-FrameOfMac -Frame $frames -Mac $macs[$session.Key]) }
                ConvertTo-CheckResult -ComputerName $state.ComputerName -Marked $session
                if ($session.Destinations.Count -gt 0 -and $session.Sources.Count -gt 0) {
                    Get-ProofCheck -Marked $session -ComputerName $state.ComputerName -Delta $delta -Frames $own `
                        -Mac $macs[$session.Key] -NoCapture $none
                }
                foreach ($switch in @($state.Switches | Where-Object { $_.Name -eq $session.SwitchName -and $_.Rsc })) {
                    New-Check $session.Name $state.ComputerName "segment coalescing of switch $($switch.Name)" 'off' 'on' $null `
                        'a sensor may get joined frames: Set-VMSwitch -EnableSoftwareRsc $false, where the sensor''s vendor asks it'
                }
            }
        })
    [pscustomobject]@{ ComputerName = $state.ComputerName; Names = @($sessions | ForEach-Object { $_.Name }); Checks = $measured }
}

# MACs of a session's sources, 12 hex digits.
function Get-MacOfSession {
    param($State, $Marked)
    $ids = @($Marked.Settings | Where-Object { $_.Kind -eq 'mode' -and $_.Mark.Now -eq 'Source' } | ForEach-Object { $_.On })
    foreach ($vm in $State.VMs) {
        foreach ($adapter in $vm.Adapters) { if ($ids -contains $adapter.Id) { $adapter.Mac.ToUpperInvariant() } }
    }
}

function Select-FrameOfMac {
    param([object[]] $Frame, [string[]] $Mac)
    foreach ($bytes in $Frame) {
        $fact = ConvertTo-FrameFact $bytes
        if ($fact -and ($Mac -contains $fact.Source -or $Mac -contains $fact.Destination)) { , $bytes }
    }
}

# Frames that come into this host's switches from or to these MACs, by Windows' own capture; the first bytes of each.
# A host has one capture session at a time; one that is there is not ours to end.
function Get-CapturedFrame {
    param([string[]] $Mac, [int] $Seconds)
    $ErrorActionPreference = 'Stop'
    $ConfirmPreference = 'None'
    $other = @(Get-NetEventSession -ErrorAction SilentlyContinue)
    if ($other.Count -gt 0) { throw "the capture session $($other[0].Name) is running (Remove-NetEventSession)" }
    $name = "vmirror-$([guid]::NewGuid().ToString('N').Substring(0, 8))"
    $file = Join-Path ([System.IO.Path]::GetTempPath()) "$name.etl"
    $addresses = @($Mac | ForEach-Object { ($_ -replace '(..)(?=.)', '$1-') })
    $null = New-NetEventSession -Name $name -CaptureMode SaveToFile -LocalFilePath $file -MaxFileSize 250
    try {
        $null = Add-NetEventPacketCaptureProvider -SessionName $name -CaptureType Switch -LinkLayerAddress $addresses `
            -TruncationLength 128 -VmCaptureDirection Ingress
        Start-NetEventSession -Name $name
        Start-Sleep -Seconds $Seconds
        Stop-NetEventSession -Name $name
        $count = 0
        foreach ($record in @(Get-WinEvent -Path $file -Oldest -MaxEvents $script:Limit.Frames -ErrorAction SilentlyContinue)) {
            # 1001 and 1003 are frames at a NIC and at a switch's port; the frame is the first property of bytes.
            if ($record.Id -ne 1001 -and $record.Id -ne 1003) { continue }
            $bytes = $null
            foreach ($property in $record.Properties) { if ($property.Value -is [byte[]]) { $bytes = $property.Value; break } }
            if ($bytes -and $count -lt $script:Limit.Frames) { $count++; , $bytes }
        }
    } finally {
        Remove-NetEventSession -Name $name
        Remove-Item -LiteralPath $file -ErrorAction SilentlyContinue
    }
}
