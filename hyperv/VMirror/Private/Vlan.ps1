# The VLAN setting of an adapter as one text, and back. Pure.
#
#   Untagged | Access 10 | Trunk 0-4094 native 0 | Private
#
# A list of VLANs is written in one way only: ascending, without overlap, runs as FIRST-LAST.

# '7,1-3' or 1,2,3,7 -> '1-3,7'. Throws for what is no list of VLAN ids (0 to 4094).
function ConvertTo-VlanRange {
    param([AllowEmptyString()] [string] $Text)
    $has = New-Object 'bool[]' 4096
    foreach ($part in $Text -split '[,\s]+') {
        if ($part -eq '') { continue }
        if ($part -notmatch '^(\d{1,4})(?:-(\d{1,4}))?$') {
            throw "'$part' is no VLAN and no range of VLANs (write for example 1-3,7)"
        }
        $first = [int]$Matches[1]
        $last = $first
        if ($Matches[2]) { $last = [int]$Matches[2] }
        if ($last -lt $first -or $last -gt 4094) { throw "'$part': VLANs go from 0 to 4094, the lower one first" }
        for ($vlan = $first; $vlan -le $last; $vlan++) { $has[$vlan] = $true }
    }
    $runs = New-Object 'System.Collections.Generic.List[string]'
    $begin = -1
    for ($vlan = 0; $vlan -lt 4096; $vlan++) {  # 4095 is never set: it ends the last run.
        if ($has[$vlan]) {
            if ($begin -lt 0) { $begin = $vlan }
        } elseif ($begin -ge 0) {
            if ($begin -eq $vlan - 1) { $runs.Add("$begin") } else { $runs.Add("$begin-$($vlan - 1)") }
            $begin = -1
        }
    }
    $runs -join ','
}

# An object of Get-VMNetworkAdapterVlan (also: the property VlanSetting of an adapter) -> the text.
function ConvertTo-VlanText {
    param($Setting)
    if ($null -eq $Setting) { return 'Untagged' }
    switch ("$(Get-Value $Setting 'OperationMode' 'Untagged')") {
        'Access' { return "Access $($Setting.AccessVlanId)" }
        'Trunk' {
            $list = ConvertTo-VlanRange -Text (@(Get-Value $Setting 'AllowedVlanIdList' @()) -join ',')
            return "Trunk $list native $($Setting.NativeVlanId)"
        }
        'Untagged' { return 'Untagged' }
        default { return 'Private' }
    }
}

# The text -> the arguments of Set-VMNetworkAdapterVlan. -Trunk needs both of its lists.
function ConvertTo-VlanArgument {
    param([string] $Text)
    if ($Text -match '^Access (\d+)$') { return @{ Access = $true; VlanId = [int]$Matches[1] } }
    if ($Text -match '^Trunk (\S*) native (\d+)$') {
        return @{ Trunk = $true; AllowedVlanIdList = $Matches[1]; NativeVlanId = [int]$Matches[2] }
    }
    if ($Text -eq 'Untagged') { return @{ Untagged = $true } }
    throw "VLAN setting '$Text' can't be set by this module (private VLANs are not supported)"
}

# The VLANs of an adapter's frames, as a range: what a monitor adapter must carry to see them.
function Get-VlanOfText {
    param([string] $Text)
    if ($Text -match '^Access (\d+)$') { return $Matches[1] }
    if ($Text -match '^Trunk (\S*) native (\d+)$') { return ConvertTo-VlanRange -Text "$($Matches[1]),$($Matches[2])" }
    '0'
}

# True if a monitor adapter with the setting $Monitor receives the frames of an adapter with $Source.
# Untagged and access mode lose every tagged frame.
function Test-VlanCovered {
    param([string] $Monitor, [string] $Source)
    $needed = Get-VlanOfText $Source
    if ($Monitor -eq 'Untagged') { return $needed -eq '0' }
    if ($Monitor -match '^Access (\d+)$') { return $needed -eq $Matches[1] }
    $carried = Get-VlanOfText $Monitor
    (ConvertTo-VlanRange -Text "$carried,$needed") -eq $carried
}
