# What a session needs on a host, or why it can't be had there. Pure.
#
# Resolution: Session, State (wanted, standby, elsewhere, refused), Reason, Wants[], Warnings[], Sources[],
#             Destinations[], SwitchName
# Want:       Setting, Value, Create (for a switch and an adapter that are to be made: how), Role

# VMs of that name or id. Names of VMs are not unique on Hyper-V.
function Select-VMOfState {
    param($State, [string[]] $Name)
    @($State.VMs | Where-Object { $Name -contains $_.Name -or $Name -contains $_.Id })
}

# Why an adapter's frames can't be mirrored to a monitor adapter on that switch, or ''.
function Get-SourceProblem {
    param($VM, $Adapter, $Switch, [string] $MonitorName)
    $who = "VM $($VM.Name), adapter $($Adapter.Name)"
    if ($Adapter.SwitchId -eq '') { return "$who is not connected to a virtual switch (connect it)" }
    if ($Adapter.SwitchId -ne $Switch.Id) {
        return "$who is on switch $($Adapter.SwitchName), $MonitorName on $($Switch.Name): Hyper-V mirrors within " +
            'one switch only (a monitor adapter on that switch)'
    }
    if ($Adapter.Mac -match '^0*$') { return "$who has no MAC address yet: the VM was never started (start it once)" }
    if ($Adapter.IovWeight -gt 0 -and $Switch.Iov -ne $false) {
        return "$who uses SR-IOV (IovWeight $($Adapter.IovWeight)), its frames pass by the switch " +
            '(Set-VMNetworkAdapter -IovWeight 0)'
    }
    ''
}

function New-Resolution {
    param($Session, [string] $State, [string] $Reason = '', [object[]] $Wants = @(), [string[]] $Warnings = @(),
        [string[]] $Sources = @(), [string[]] $Destinations = @(), [string] $SwitchName = '')
    [pscustomobject]@{
        Session = $Session; State = $State; Reason = $Reason; Wants = $Wants; Warnings = $Warnings
        Sources = $Sources; Destinations = $Destinations; SwitchName = $SwitchName
    }
}

function New-Want {
    param($Setting, [string] $Value, [string] $Role, $Create = $null)
    [pscustomobject]@{ Setting = $Setting; Value = $Value; Role = $Role; Create = $Create }
}

# The switch by name: @{ Switch; Problem; Want }. A switch that is to be made has the id ''.
function Find-SessionSwitch {
    param($State, $Table, $Session)
    $found = @($State.Switches | Where-Object { $_.Name -eq $Session.Switch })
    if ($found.Count -gt 1) {
        return @{ Problem = "$($found.Count) switches are named $($Session.Switch) (rename all but one)" }
    }
    if ($found.Count -eq 1) {
        $want = $null
        # Ours is still needed; one that was there is none of our business.
        $setting = $Table["switch|$($found[0].Id)|switch|"]
        if ($setting.Mark) { $want = New-Want $setting 'present' 'switch' }
        return @{ Switch = $found[0]; Problem = ''; Want = $want }
    }
    if ($Session.NetAdapter -eq '') {
        return @{ Problem = "there is no virtual switch $($Session.Switch) (make it, or name the NIC to make it on: " +
                '-NetAdapterName, netAdapter)' }
    }
    $new = [pscustomobject]@{
        Id = ''; Name = $Session.Switch; Type = 'External'; Description = ''; Iov = $false; Capture = 'Disabled'
        External = 'absent'; Marks = @(); MarkError = ''
    }
    $create = @{ NetAdapter = $Session.NetAdapter; AllowManagementOS = $Session.AllowManagementOS }
    $setting = New-Setting 'switch' $new 'switch' '' '' 'absent' 'absent'
    $setting.Key = "switch|$($new.Name)|switch|"
    @{ Switch = $new; Problem = ''; Want = New-Want $setting 'present' 'switch' $create }
}

# The monitor adapter of one destination VM: @{ Adapter; Switch; Problem; Wants }.
function Find-SessionMonitor {
    param($State, $Table, $Session, $VM)
    $name = $Session.DestinationAdapter
    $who = "VM $($VM.Name), adapter $name"
    $wants = @()
    $switch = $null
    if ($Session.Switch) {
        $found = Find-SessionSwitch $State $Table $Session
        if ($found.Problem) { return @{ Problem = $found.Problem } }
        $switch = $found.Switch
        if ($found.Want) { $wants += $found.Want }
    }
    $adapters = @($VM.Adapters | Where-Object { $_.Name -eq $name })
    if ($adapters.Count -gt 1) {
        return @{ Problem = "VM $($VM.Name) has $($adapters.Count) adapters named $name (Rename-VMNetworkAdapter)" }
    }
    if ($adapters.Count -eq 0) {
        if ($null -eq $switch) {
            return @{ Problem = "VM $($VM.Name) has no adapter $name (add it, or name the switch to add it on: " +
                    '-SwitchName, switch)' }
        }
        $setting = New-Setting 'vm' $VM 'adapter' $name $name 'absent' 'absent'
        $wants += New-Want $setting 'present' 'destination' @{ SwitchName = $switch.Name }
        $adapter = [pscustomobject]@{ Id = ''; Name = $name; SwitchId = $switch.Id; SwitchName = $switch.Name
            Mac = ''; Mode = 'None'; IovWeight = 0; Vlan = 'Untagged' }
        return @{ Adapter = $adapter; Switch = $switch; Problem = ''; Wants = $wants }
    }
    $adapter = $adapters[0]
    $own = $Table["vm|$($VM.Id)|adapter|$($adapter.Name)"]
    if ($own.Mark) { $wants += New-Want $own 'present' 'destination' }
    if ($adapter.SwitchId -eq '') { return @{ Problem = "$who is not connected to a virtual switch (connect it)" } }
    if ($null -eq $switch) {
        $switch = @($State.Switches | Where-Object { $_.Id -eq $adapter.SwitchId })[0]
        if ($null -eq $switch) { return @{ Problem = "$who is on switch $($adapter.SwitchName), which is not here" } }
    } elseif ($adapter.SwitchId -ne $switch.Id) {
        return @{ Problem = "$who is on switch $($adapter.SwitchName), not on $($switch.Name) " +
                '(Connect-VMNetworkAdapter, or another adapter)' }
    }
    @{ Adapter = $adapter; Switch = $switch; Problem = ''; Wants = $wants }
}

# The settings of the monitor adapter and its switch: @{ Wants; Warnings; Problem }.
function Get-MonitorWant {
    param($Table, $Session, $VM, $Monitor, [string[]] $SourceVlan)
    $adapter = $Monitor.Adapter
    $wants = @()
    $warnings = @()
    $of = [pscustomobject]@{ Id = $VM.Id; Name = $VM.Name; Marks = $VM.Marks; MarkError = $VM.MarkError }
    $mode = New-Setting 'vm' $of 'mode' $adapter.Id $adapter.Name $adapter.Mode 'None'
    $vlan = New-Setting 'vm' $of 'vlan' $adapter.Id $adapter.Name $adapter.Vlan 'Untagged'
    $capture = $Monitor.Switch.Capture
    if ($capture) {
        $wants += New-Want (New-Setting 'switch' $Monitor.Switch 'capture' '' '' $capture 'Disabled') 'Enabled' 'switch'
    } else {
        $warnings += "switch $($Monitor.Switch.Name) has no extension NDIS Capture: nothing to enable"
    }
    $wants += New-Want $mode 'Destination' 'destination'
    if ((Get-SettingConflict $vlan $Session.Vlan) -eq '') {
        $wants += New-Want $vlan $Session.Vlan 'destination'
    } else {
        # Somebody set its VLANs. They stay; do they suffice?
        foreach ($one in $SourceVlan) {
            if (-not (Test-VlanCovered -Monitor $adapter.Vlan -Source $one)) {
                return @{ Problem = "VM $($VM.Name), adapter $($adapter.Name) has the VLANs '$($adapter.Vlan)', set by " +
                        "somebody else, and loses the frames of a source with '$one' (Set-VMNetworkAdapterVlan -Trunk)" }
            }
        }
        $warnings += "VM $($VM.Name), adapter $($adapter.Name) keeps its VLANs '$($adapter.Vlan)', which are not ours"
    }
    @{ Wants = $wants; Warnings = $warnings; Problem = '' }
}

# State, table and session -> Resolution. $Alone: this host is all there is, so what is not here is an error;
# else another node of the cluster may have it.
function Resolve-Session {
    param($State, $Table, $Session, [bool] $Alone)
    $destinations = @(Select-VMOfState $State $Session.DestinationVM)
    $sources = @()
    if (-not $Session.ExternalPort) { $sources = @(Select-VMOfState $State @($Session.VM)) }
    $sensor = $Session.DestinationVM -join ', '
    if ($destinations.Count -eq 0) {
        if ($Alone) { return New-Resolution $Session 'refused' "there is no VM $sensor here, the destination" }
        if ($sources.Count -eq 0) { return New-Resolution $Session 'elsewhere' }
        return New-Resolution $Session 'refused' ("VM $($Session.VM) is on this node, no destination ($sensor) is " +
            '(a sensor on every node, or an affinity rule)')
    }
    if ($sources.Count -eq 0 -and -not $Session.ExternalPort -and $Alone) {
        return New-Resolution $Session 'refused' "there is no VM $($Session.VM) here, the source"
    }
    if ($sources.Count -gt 1) {
        return New-Resolution $Session 'refused' "$($sources.Count) VMs are named $($Session.VM) (give the VM's id)"
    }
    $from = @()
    if ($sources.Count -eq 1) {
        $from = @($sources[0].Adapters | Where-Object { $Session.Adapter -eq '' -or $_.Name -eq $Session.Adapter })
        if ($Session.Adapter -eq '') {  # All adapters of a sensor that is a source, too, but its monitor adapter.
            $own = @($destinations | Where-Object { $_.Id -eq $sources[0].Id }).Count -gt 0
            $from = @($from | Where-Object { -not $own -or $_.Name -ne $Session.DestinationAdapter })
        }
        if ($from.Count -eq 0) {
            $what = if ($Session.Adapter) { "adapter $($Session.Adapter)" } else { 'network adapter' }
            return New-Resolution $Session 'refused' "VM $($Session.VM) has no $what"
        }
    }
    $wants = @()
    $warnings = @()
    $switch = $null
    foreach ($vm in $destinations) {
        $monitor = Find-SessionMonitor $State $Table $Session $vm
        if ($monitor.Problem) { return New-Resolution $Session 'refused' $monitor.Problem }
        $switch = $monitor.Switch
        if ($switch.Description -like 'Microsoft Network Adapter Multiplexor Driver*') {
            return New-Resolution $Session 'refused' ("switch $($switch.Name) is on an LBFO team, which Hyper-V's " +
                'mirroring is not supported on (a switch with embedded teaming, or one NIC)')
        }
        foreach ($adapter in $from) {
            if ($adapter.Id -and $adapter.Id -eq $monitor.Adapter.Id) {
                return New-Resolution $Session 'refused' "adapter $($adapter.Name) can't be its own destination"
            }
            $problem = Get-SourceProblem $sources[0] $adapter $switch "VM $($vm.Name), adapter $($monitor.Adapter.Name)"
            if ($problem) { return New-Resolution $Session 'refused' $problem }
        }
        $got = Get-MonitorWant $Table $Session $vm $monitor @($from | ForEach-Object { $_.Vlan })
        if ($got.Problem) { return New-Resolution $Session 'refused' $got.Problem }
        $wants += @($monitor.Wants) + @($got.Wants)
        $warnings += @($got.Warnings)
        if ($Session.ExternalPort) {
            if ($switch.Type -ne 'External') {
                return New-Resolution $Session 'refused' ("switch $($switch.Name) is $($switch.Type.ToLower()), it has no " +
                    'external port (an external switch)')
            }
            $wants += New-Want (New-Setting 'switch' $switch 'external' '' '' $switch.External 'absent') '2' 'source'
        }
    }
    foreach ($adapter in $from) {
        $wants += New-Want $Table["vm|$($sources[0].Id)|mode|$($adapter.Id)"] 'Source' 'source'
    }
    $warnings += @($sources | Where-Object { $_.State -ne 'Running' } |
            ForEach-Object { "VM $($_.Name) is $("$($_.State)".ToLower()): nothing to mirror until it runs" })
    foreach ($want in $wants) {
        $conflict = Get-SettingConflict $want.Setting $want.Value
        if ($conflict) { return New-Resolution $Session 'refused' $conflict }
    }
    $names = @($from | ForEach-Object { "$($sources[0].Name)/$($_.Name)" })
    if ($Session.ExternalPort) { $names = @("external port of $($switch.Name)") }
    $result = @{
        Session = $Session; Wants = $wants; Warnings = @($warnings | Sort-Object -Unique); SwitchName = $switch.Name
        Sources = $names; Destinations = @($destinations | ForEach-Object { "$($_.Name)/$($Session.DestinationAdapter)" })
    }
    if ($names.Count -eq 0) {
        return New-Resolution @result -State 'standby' -Reason "VM $($Session.VM) is not on this node; all is ready for it"
    }
    New-Resolution @result -State 'wanted'
}
