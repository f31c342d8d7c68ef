# What captured frames say, as the sensor vendors' guides ask it. Pure.
#
#   0            6            12      14 or, with VLAN tags of 4 bytes each, later
#   | destination | source    | type  | payload ...
#   type 0x8100, 0x88a8: a VLAN tag: 2 bytes of tag control, the real type after them
#   IPv4: protocol at payload + 9, header length in the low nibble of payload + 0; IPv6: next header at payload + 6

# Frame (bytes) -> Destination, Source (12 hex digits), Type, Vlan (-1: none), Protocol, Ports; $null if it is cut short.
function ConvertTo-FrameFact {
    param([byte[]] $Frame)
    if ($null -eq $Frame -or $Frame.Length -lt 14) { return $null }
    $hex = [BitConverter]::ToString($Frame, 0, 12).Replace('-', '')
    $at = 12
    $vlan = -1
    $type = 256 * $Frame[$at] + $Frame[$at + 1]
    while (($type -eq 0x8100 -or $type -eq 0x88a8) -and $Frame.Length -ge $at + 6) {
        if ($vlan -lt 0) { $vlan = (256 * $Frame[$at + 2] + $Frame[$at + 3]) -band 0xfff }
        $at += 4
        $type = 256 * $Frame[$at] + $Frame[$at + 1]
    }
    $body = $at + 2
    $protocol = -1
    $ports = @()
    $transport = -1
    if ($type -eq 0x0800 -and $Frame.Length -ge $body + 20) {
        $protocol = [int]$Frame[$body + 9]
        # A later fragment has no transport header.
        if (((256 * $Frame[$body + 6] + $Frame[$body + 7]) -band 0x1fff) -eq 0) {
            $transport = $body + 4 * ($Frame[$body] -band 15)
        }
    } elseif ($type -eq 0x86dd -and $Frame.Length -ge $body + 40) {
        $protocol = [int]$Frame[$body + 6]
        $transport = $body + 40
    }
    if ($transport -gt 0 -and ($protocol -eq 6 -or $protocol -eq 17) -and $Frame.Length -ge $transport + 4) {
        $ports = @((256 * $Frame[$transport] + $Frame[$transport + 1]), (256 * $Frame[$transport + 2] + $Frame[$transport + 3]))
    }
    [pscustomobject]@{
        Destination = $hex.Substring(0, 12); Source = $hex.Substring(12, 12); Type = $type; Vlan = $vlan
        Protocol = $protocol; Ports = $ports
    }
}

# Frames of adapters with those MACs (12 hex digits) -> counts.
function Measure-Frame {
    param([object[]] $Frame, [string[]] $Mac)
    $result = [ordered]@{
        Frames = 0; Short = 0; Sent = 0; Received = 0; Unicast = 0; Flooded = 0; Arp = 0
        Vlans = @(); Peers = 0; Services = [ordered]@{}
    }
    $vlans = @{}
    $peers = @{}
    foreach ($bytes in $Frame) {
        $fact = ConvertTo-FrameFact $bytes
        $result.Frames++
        if ($null -eq $fact) { $result.Short++; continue }
        $out = $Mac -contains $fact.Source
        if ($out) { $result.Sent++ } else { $result.Received++ }
        # The lowest bit of the first byte: group addresses, which every port gets anyhow.
        if ([Convert]::ToInt32($fact.Destination.Substring(0, 2), 16) -band 1) { $result.Flooded++ } else {
            $result.Unicast++
            $peers[$(if ($out) { $fact.Destination } else { $fact.Source })] = $true
        }
        if ($fact.Type -eq 0x0806) { $result.Arp++ }
        if ($fact.Vlan -ge 0) { $vlans[$fact.Vlan] = $true }
        foreach ($name in $script:KnownServices.Keys) {
            $port = $script:KnownServices[$name]
            if ($fact.Ports -notcontains $port) { continue }
            if (-not $result.Services.Contains($name)) { $result.Services[$name] = @(0, 0) }
            $result.Services[$name][$(if ($out) { 0 } else { 1 })]++
        }
    }
    $result.Vlans = @($vlans.Keys | Sort-Object)
    $result.Peers = $peers.Count
    [pscustomobject]$result
}

# Of which both directions must be seen: a domain controller's, and the common ones of plants.
$script:KnownServices = [ordered]@{
    Kerberos = 88; LDAP = 389; 'ISO-TSAP (S7)' = 102; 'Modbus/TCP' = 502; 'EtherNet/IP' = 44818; DNP3 = 20000; 'OPC UA' = 4840
}
