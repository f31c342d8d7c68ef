# What the marks on a host tell of sessions: no document is needed for that. Pure.

# State -> for each session that a mark names: Key, Name, Owner, Settings[], Sources[], Destinations[],
# SwitchName, Problems[]
function Get-MarkedSession {
    param($State)
    $table = Get-SettingTable $State
    $sessions = [ordered]@{}
    foreach ($setting in $table.Values) {
        if ($null -eq $setting.Mark) { continue }
        foreach ($key in $setting.Mark.For) {
            if (-not $sessions.Contains($key)) { $sessions[$key] = New-Object 'System.Collections.Generic.List[object]' }
            $sessions[$key].Add($setting)
        }
    }
    foreach ($key in @($sessions.Keys | Sort-Object)) {
        $settings = $sessions[$key].ToArray()
        $sources = @($settings | Where-Object { $_.Kind -eq 'mode' -and $_.Mark.Now -eq 'Source' })
        $monitors = @($settings | Where-Object { $_.Kind -eq 'mode' -and $_.Mark.Now -eq 'Destination' })
        $external = @($settings | Where-Object { $_.Kind -eq 'external' })
        $switches = @(foreach ($monitor in $monitors) { Get-SwitchOfAdapter $State $monitor.On })
        $owner, $name = $key.Split('/')
        [pscustomobject]@{
            Key = $key; Name = $name; Owner = $owner; Settings = $settings
            Sources = @(@($sources | ForEach-Object { "$($_.HolderName)/$($_.OnName)" }) +
                @($external | ForEach-Object { "external port of $($_.HolderName)" }))
            Destinations = @($monitors | ForEach-Object { "$($_.HolderName)/$($_.OnName)" })
            SwitchName = @($switches | ForEach-Object { $_.Name } | Select-Object -Unique) -join ', '
            Problems = @(Get-MarkedProblem $State $sources $monitors $switches)
        }
    }
}

function Get-SwitchOfAdapter {
    param($State, [string] $AdapterId)
    foreach ($vm in $State.VMs) {
        foreach ($adapter in $vm.Adapters) {
            if ($adapter.Id -eq $AdapterId) { return @($State.Switches | Where-Object { $_.Id -eq $adapter.SwitchId }) }
        }
    }
}

# What no setting shows: the sensor is not here, another switch, SR-IOV, a VLAN that the monitor adapter loses.
function Get-MarkedProblem {
    param($State, [object[]] $Sources, [object[]] $Monitors, [object[]] $Switches)
    if ($Sources.Count -gt 0 -and $Monitors.Count -eq 0) {
        "VM $($Sources[0].HolderName) is here, no destination of it is (a sensor on every node, or an affinity rule)"
        return
    }
    foreach ($source in $Sources) {
        $vm = @($State.VMs | Where-Object { $_.Id -eq $source.HolderId })[0]
        $adapter = @($vm.Adapters | Where-Object { $_.Id -eq $source.On })
        if ($adapter.Count -eq 0) { "VM $($vm.Name): the mirrored adapter is gone"; continue }
        foreach ($monitor in $Monitors) {
            $sensor = @($State.VMs | Where-Object { $_.Id -eq $monitor.HolderId })[0]
            $own = @($sensor.Adapters | Where-Object { $_.Id -eq $monitor.On })
            if ($own.Count -eq 0) { continue }
            $switch = @($Switches | Where-Object { $_.Id -eq $own[0].SwitchId })
            if ($switch.Count -gt 0) {
                Get-SourceProblem $vm $adapter[0] $switch[0] "VM $($sensor.Name), adapter $($own[0].Name)" |
                    Where-Object { $_ }
            }
            if (-not (Test-VlanCovered -Monitor $own[0].Vlan -Source $adapter[0].Vlan)) {
                "VM $($sensor.Name), adapter $($own[0].Name) has the VLANs '$($own[0].Vlan)' and loses the frames of " +
                "VM $($vm.Name), adapter $($adapter[0].Name) with '$($adapter[0].Vlan)'"
            }
        }
    }
}

# A marked session -> a VMirror.Session object.
function ConvertTo-MarkedResult {
    param([string] $ComputerName, $Marked)
    $open = @($Marked.Settings | Where-Object { -not (Test-SameValue $_.Kind $_.Value $_.Mark.Now) } |
            ForEach-Object { "$(Get-SettingLabel $_) is '$($_.Value)', not '$($_.Mark.Now)'" })
    $reasons = @($open) + @($Marked.Problems)
    $state = 'ready'
    if ($reasons.Count -gt 0) { $state = 'failed' }
    elseif ($Marked.Sources.Count -eq 0) {
        $state = 'standby'
        $reasons = @('its source is not on this host; all is ready for it')
    } else { $reasons = @('every setting is as asked; Test-VMirror proves that copies flow') }
    New-TypedObject -Type 'Session' -Property ([ordered]@{
            Name = $Marked.Name; Owner = $Marked.Owner; ComputerName = $ComputerName
            State = $state; Reason = $reasons -join '; '
            Source = [string[]]@($Marked.Sources); Destination = [string[]]@($Marked.Destinations)
            SwitchName = $Marked.SwitchName; Warnings = [string[]]@()
        })
}

# A marked session -> its checks, setting by setting.
function ConvertTo-CheckResult {
    param([string] $ComputerName, $Marked)
    foreach ($setting in $Marked.Settings) {
        $right = Test-SameValue $setting.Kind $setting.Value $setting.Mark.Now
        New-TypedObject -Type 'Check' -Property ([ordered]@{
                Session = $Marked.Name; ComputerName = $ComputerName; Check = Get-SettingLabel $setting
                Expected = $setting.Mark.Now; Actual = $setting.Value; Passed = $right
                Remedy = if ($right) { '' } else { 'run Set-VMirrorSession or Sync-VMirror again' }
            })
    }
    foreach ($problem in $Marked.Problems) {
        New-TypedObject -Type 'Check' -Property ([ordered]@{
                Session = $Marked.Name; ComputerName = $ComputerName; Check = 'copies can flow'
                Expected = 'yes'; Actual = 'no'; Passed = $false; Remedy = $problem
            })
    }
}
