# What is asked for: sessions as values, from a document or from a command's parameters. Pure.
#
# The document is JSON; schema/sessions.schema.json describes it, docs/hyperv.md explains it:
#
#   {"vmirror": 1, "owner": "agent", "sessions": [
#     {"name": "dc1", "source": {"vm": "dc1", "adapter": "LAN"},
#      "destination": {"vm": ["SENSOR"], "adapter": "Monitor"}}]}

$script:NamePattern = '^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$'

# One session, checked. Throws "WHERE: what (remedy)".
function New-DesiredSession {
    param(
        [string] $Where = 'session', [string] $Owner = 'hand', [string] $Name,
        [string] $VM = '', [string] $Adapter = '', [bool] $ExternalPort = $false,
        [string[]] $DestinationVM = @(), [string] $DestinationAdapter = '', [string] $Switch = '',
        [string] $NetAdapter = '', [bool] $AllowManagementOS = $true,
        [string] $Vlans = '0-4094', [int] $NativeVlan = 0
    )
    if ($Name -notmatch $script:NamePattern) {
        throw "$Where.name: '$Name' is no name (letters, digits, . _ @ -, at most 64, the first a letter or digit)"
    }
    if ($Owner -notmatch $script:NamePattern) { throw "$Where.owner: '$Owner' is no name" }
    if (($VM -ne '') -eq $ExternalPort) { throw "$Where.source: give either ``vm`` or ``externalPort``: true" }
    if ($ExternalPort -and $Adapter -ne '') { throw "$Where.source.adapter: the external port has no adapter" }
    $destinations = @($DestinationVM | Where-Object { $_ })
    if ($destinations.Count -eq 0) { throw "$Where.destination.vm: name the sensor's VM" }
    if ($DestinationAdapter -eq '') { throw "$Where.destination.adapter: name the sensor's monitor adapter" }
    if ($NetAdapter -ne '' -and $Switch -eq '') {
        throw "$Where.destination.netAdapter: name the ``switch`` that is to be made on it"
    }
    try { $allowed = ConvertTo-VlanRange -Text $Vlans } catch { throw "$Where.vlans: $($_.Exception.Message)" }
    if ($allowed -eq '') { throw "$Where.vlans: no VLAN at all (0-4094 is every one)" }
    if ($NativeVlan -lt 0 -or $NativeVlan -gt 4094) { throw "$Where.nativeVlan: $NativeVlan is not in 0 to 4094" }
    [pscustomobject]@{
        Key = "$Owner/$Name"; Owner = $Owner; Name = $Name; VM = $VM; Adapter = $Adapter
        ExternalPort = $ExternalPort; DestinationVM = [string[]]$destinations
        DestinationAdapter = $DestinationAdapter; Switch = $Switch; NetAdapter = $NetAdapter
        AllowManagementOS = $AllowManagementOS; Vlan = "Trunk $allowed native $NativeVlan"
    }
}

# The value of a key, which must have that type: string, integer, boolean, object, strings (one, or a list).
function Get-DocumentValue {
    param($Object, [string] $Name, [string] $Type, [string] $Where, $Default)
    $value = Get-Value $Object $Name
    if ($null -eq $value) {
        if ($PSBoundParameters.ContainsKey('Default')) { return $Default }
        throw "$Where.$($Name): it is missing"
    }
    $right = switch ($Type) {
        'string' { $value -is [string] }
        'integer' { $value -is [int] -or $value -is [long] }
        'boolean' { $value -is [bool] }
        'object' { $value -is [System.Management.Automation.PSCustomObject] }
        'strings' { @($value | Where-Object { $_ -isnot [string] }).Count -eq 0 }
    }
    if (-not $right) { throw "$Where.$($Name): $Type expected" }
    $value
}

# Refuses keys that nobody knows: a mistyped key must not be passed over.
function Assert-DocumentKey {
    param($Object, [string[]] $Allowed, [string] $Where)
    foreach ($property in $Object.PSObject.Properties) {
        if ($Allowed -cnotcontains $property.Name) {
            throw "$Where.$($property.Name): no such key (there are: $($Allowed -join ', '))"
        }
    }
}

function ConvertTo-DesiredSession {
    param($Entry, [string] $Where, [string] $Owner)
    if ($Entry -isnot [System.Management.Automation.PSCustomObject]) { throw "$($Where): object expected" }
    $known = 'name', 'source', 'destination', 'vlans', 'nativeVlan', 'direction', 'snaplen', 'filter'
    Assert-DocumentKey -Object $Entry -Allowed $known -Where $Where
    # What a virtual switch of Hyper-V can't do is refused by name, never passed over.
    $direction = Get-DocumentValue $Entry 'direction' 'string' $Where -Default 'both'
    if ($direction -ne 'both') {
        throw "$Where.direction: '$direction': Hyper-V mirrors both directions of an adapter, not one (write both)"
    }
    if ((Get-DocumentValue $Entry 'snaplen' 'integer' $Where -Default 0) -ne 0) {
        throw "$Where.snaplen: Hyper-V mirrors whole frames only (write 0)"
    }
    if (@(Get-Value $Entry 'filter' @()).Count -ne 0) {
        throw "$Where.filter: Hyper-V's mirroring has no filter (leave it out; filter in the sensor)"
    }
    $source = Get-DocumentValue $Entry 'source' 'object' $Where
    Assert-DocumentKey -Object $source -Allowed 'vm', 'adapter', 'externalPort' -Where "$Where.source"
    $to = Get-DocumentValue $Entry 'destination' 'object' $Where
    $known = 'vm', 'adapter', 'switch', 'netAdapter', 'allowManagementOS'
    Assert-DocumentKey -Object $to -Allowed $known -Where "$Where.destination"
    $arguments = @{
        Where              = $Where
        Owner              = $Owner
        Name               = Get-DocumentValue $Entry 'name' 'string' $Where
        VM                 = Get-DocumentValue $source 'vm' 'string' "$Where.source" -Default ''
        Adapter            = Get-DocumentValue $source 'adapter' 'string' "$Where.source" -Default ''
        ExternalPort       = Get-DocumentValue $source 'externalPort' 'boolean' "$Where.source" -Default $false
        DestinationVM      = @(Get-DocumentValue $to 'vm' 'strings' "$Where.destination")
        DestinationAdapter = Get-DocumentValue $to 'adapter' 'string' "$Where.destination"
        Switch             = Get-DocumentValue $to 'switch' 'string' "$Where.destination" -Default ''
        NetAdapter         = Get-DocumentValue $to 'netAdapter' 'string' "$Where.destination" -Default ''
        AllowManagementOS  = Get-DocumentValue $to 'allowManagementOS' 'boolean' "$Where.destination" -Default $true
        Vlans              = Get-DocumentValue $Entry 'vlans' 'string' $Where -Default '0-4094'
        NativeVlan         = Get-DocumentValue $Entry 'nativeVlan' 'integer' $Where -Default 0
    }
    New-DesiredSession @arguments
}

# JSON text -> @{ Owner; Sessions }. It is taken whole or not at all; throws "$From: WHERE: what (remedy)".
function ConvertFrom-SessionDocument {
    param([AllowEmptyString()] [string] $Text, [string] $From)
    if ($Text.Length -gt $script:Limit.DocumentBytes) {
        throw "$($From): $($Text.Length) characters, $($script:Limit.DocumentBytes) are allowed (split it by host)"
    }
    try { $document = ConvertFrom-Json -InputObject $Text -ErrorAction Stop }
    catch { throw "$($From): no JSON: $($_.Exception.Message)" }
    try {
        if ($document -isnot [System.Management.Automation.PSCustomObject]) {
            throw 'a document of sessions is an object: {"vmirror": 1, "owner": "agent", "sessions": []}'
        }
        Assert-DocumentKey -Object $document -Allowed 'vmirror', 'owner', 'sessions' -Where 'document'
        if ((Get-DocumentValue $document 'vmirror' 'integer' 'document') -ne 1) {
            throw "document.vmirror: version $($document.vmirror), this module reads version 1 (update the module)"
        }
        $owner = Get-DocumentValue $document 'owner' 'string' 'document' -Default 'agent'
        if ($null -eq $document.PSObject.Properties['sessions'] -or $document.sessions -isnot [array]) {
            throw 'document.sessions: list expected ([] removes every session of this owner)'
        }
        $entries = @($document.sessions)
        if ($entries.Count -gt $script:Limit.Sessions) {
            throw "document.sessions: $($entries.Count) sessions, $($script:Limit.Sessions) are allowed"
        }
        $sessions = @(for ($i = 0; $i -lt $entries.Count; $i++) {
                ConvertTo-DesiredSession -Entry $entries[$i] -Where "sessions[$i]" -Owner $owner
            })
        $seen = @{}
        foreach ($session in $sessions) {
            if ($seen.ContainsKey($session.Key)) { throw "sessions: two are named '$($session.Name)'" }
            $seen[$session.Key] = $true
        }
    } catch { throw "$($From): $($_.Exception.Message)" }
    [pscustomobject]@{ Owner = $owner; Sessions = $sessions }
}
