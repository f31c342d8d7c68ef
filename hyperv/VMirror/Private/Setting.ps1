# A host's state as a flat table of settings. Pure.
#
# State (Observe.ps1 makes it, the tests too):
#   ComputerName
#   Switches[]  Id, Name, Type, Description (of the NIC below), Iov, Capture ('' = no such extension, Enabled,
#               Disabled), External ('' = no external port, absent, 0, 1, 2), Marks, MarkError
#   VMs[]       Id, Name, State, Marks, MarkError,
#               Adapters[]  Id, Name, SwitchId, SwitchName, Mac, Mode, IovWeight, Vlan
#
# Setting: Key, Holder ('vm', 'switch'), HolderId, HolderName, Kind, On, OnName, Value, Default, Mark, MarkError.

$script:SettingOrder = 'switch', 'adapter', 'capture', 'vlan', 'mode', 'external'  # In which they are applied.

function New-Setting {
    param([string] $Holder, $Of, [string] $Kind, [string] $On, [string] $OnName, [string] $Value, [string] $Default)
    $mark = $null
    foreach ($entry in $Of.Marks) { if ($entry.Kind -eq $Kind -and $entry.On -eq $On) { $mark = $entry } }
    [pscustomobject]@{
        Key = "$Holder|$($Of.Id)|$Kind|$On"; Holder = $Holder; HolderId = $Of.Id; HolderName = $Of.Name
        Kind = $Kind; On = $On; OnName = $OnName; Value = $Value; Default = $Default
        Mark = $mark; MarkError = $Of.MarkError
    }
}

# State -> Key -> Setting, in the state's order; then what marks tell of that is not there (any more).
function Get-SettingTable {
    param($State)
    $table = [ordered]@{}
    $settings = @(
        foreach ($switch in $State.Switches) {
            New-Setting 'switch' $switch 'switch' '' '' 'present' 'absent'
            if ($switch.Capture) { New-Setting 'switch' $switch 'capture' '' '' $switch.Capture 'Disabled' }
            if ($switch.External) { New-Setting 'switch' $switch 'external' '' '' $switch.External 'absent' }
        }
        foreach ($vm in $State.VMs) {
            foreach ($name in @($vm.Adapters | ForEach-Object { $_.Name } | Sort-Object -Unique)) {
                New-Setting 'vm' $vm 'adapter' $name $name 'present' 'absent'
            }
            foreach ($adapter in $vm.Adapters) {
                New-Setting 'vm' $vm 'mode' $adapter.Id $adapter.Name $adapter.Mode 'None'
                New-Setting 'vm' $vm 'vlan' $adapter.Id $adapter.Name $adapter.Vlan 'Untagged'
            }
        })
    foreach ($setting in $settings) { $table[$setting.Key] = $setting }
    $holders = @(
        foreach ($switch in $State.Switches) { , @('switch', $switch) }
        foreach ($vm in $State.VMs) { , @('vm', $vm) })
    foreach ($pair in $holders) {
        foreach ($mark in $pair[1].Marks) {
            if (-not $table.Contains("$($pair[0])|$($pair[1].Id)|$($mark.Kind)|$($mark.On)")) {
                $gone = New-Setting $pair[0] $pair[1] $mark.Kind $mark.On $mark.On 'absent' 'absent'
                $table[$gone.Key] = $gone
            }
        }
    }
    $table
}

# Values that are the same to the switch: without the feature the external port is not monitored.
function Test-SameValue {
    param([string] $Kind, [string] $Left, [string] $Right)
    if ($Kind -eq 'external') {
        if ($Left -eq 'absent') { $Left = '0' }
        if ($Right -eq 'absent') { $Right = '0' }
    }
    $Left -eq $Right
}

# What a person calls the setting.
function Get-SettingLabel {
    param($Setting)
    $vm = "VM $($Setting.HolderName), adapter $($Setting.OnName)"
    switch ($Setting.Kind) {
        'mode' { "port mirroring of $vm" }
        'vlan' { "VLANs of $vm" }
        'adapter' { $vm }
        'capture' { "NDIS capture extension of switch $($Setting.HolderName)" }
        'external' { "monitoring mode of the external port of switch $($Setting.HolderName)" }
        'switch' { "switch $($Setting.HolderName)" }
    }
}

# Why a setting can't be taken for that value, or ''. Ours or at its default: it can. Else it is somebody's.
function Get-SettingConflict {
    param($Setting, [string] $Value)
    if ($Setting.MarkError) {
        $holder = if ($Setting.Holder -eq 'vm') { 'VM' } else { 'switch' }
        return "the notes of $holder $($Setting.HolderName): $($Setting.MarkError) (mend or delete that line)"
    }
    $kind = $Setting.Kind
    if (Test-SameValue $kind $Setting.Value $Value) { return '' }
    if (Test-SameValue $kind $Setting.Value $Setting.Default) { return '' }
    $mark = $Setting.Mark
    if ($mark -and -not (Test-SameValue $kind $mark.Was $mark.Now) -and
        ((Test-SameValue $kind $Setting.Value $mark.Now) -or (Test-SameValue $kind $Setting.Value $mark.Was))) {
        return ''
    }
    "$(Get-SettingLabel $Setting) is '$($Setting.Value)', set by somebody else, '$Value' is needed (undo it by hand)"
}
