# at least: 40 tests
# The document of desired sessions: what is right, what is wrong and where; and that the schema agrees.
BeforeDiscovery {
    function New-Case { param([string] $Case, [scriptblock] $Do, [string] $Says, [switch] $Schema)
        @{ Case = $Case; Do = $Do; Says = $Says; SchemaAgrees = -not $Schema } }
    # -Schema: a rule that JSON Schema does not express here.
    $wrong = @(
        New-Case 'no version' { $d.PSObject.Properties.Remove('vmirror') } '*document.vmirror: it is missing*'
        New-Case 'a later version' { $d.vmirror = 2 } '*version 2*update the module*'
        New-Case 'an unknown key' { $d | Add-Member -NotePropertyName session -NotePropertyValue 1 } '*document.session: no such key*'
        New-Case 'no list' { $d.sessions = 'x' } '*document.sessions: list expected*'
        New-Case 'a bad owner' { $d.owner = 'a/b' } "*'a/b' is no name*"
        New-Case 'a number as name' { $s.name = 5 } '*sessions`[0`].name: string expected*'
        New-Case 'an empty name' { $s.name = '' } '*sessions`[0`].name: '''' is no name*'
        New-Case 'a name of 65' { $s.name = 'x' * 65 } '*is no name*'
        New-Case 'no source' { $s.PSObject.Properties.Remove('source') } '*sessions`[0`].source: it is missing*'
        New-Case 'an empty source' { $s.source = [pscustomobject]@{} } '*sessions`[0`].source: give either*'
        New-Case 'both sources' { $s.source | Add-Member externalPort $true } '*sessions`[0`].source: give either*'
        New-Case 'a source of text' { $s.source = 'dc1' } '*sessions`[0`].source: object expected*'
        New-Case 'a mistyped key' { $s.source | Add-Member adaptor x } '*source.adaptor: no such key (there are: vm, adapter*'
        New-Case 'a key in capitals' { $s | Add-Member VLANs '1' } '*VLANs: no such key*'
        New-Case 'no destination' { $s.PSObject.Properties.Remove('destination') } '*destination: it is missing*'
        New-Case 'no sensor' { $s.destination.vm = @() } '*destination.vm: it is missing*'
        New-Case 'a sensor that is a number' { $s.destination.vm = @(1) } '*destination.vm: strings expected*'
        New-Case 'no monitor adapter' { $s.destination.adapter = '' } '*destination.adapter: name the sensor*'
        New-Case 'a NIC without a switch' { $s.destination | Add-Member netAdapter Ethernet } '*netAdapter: name the*switch*'
        New-Case 'VLANs that are none' { $s | Add-Member vlans '1-x' } "*vlans: '1-x' is no VLAN*" -Schema
        New-Case 'VLANs past the end' { $s | Add-Member vlans '4095' } '*vlans*0 to 4094*' -Schema
        New-Case 'no VLANs' { $s | Add-Member vlans ' ' } '*vlans: no VLAN at all*' -Schema
        New-Case 'a native VLAN past the end' { $s | Add-Member nativeVlan 4095 } '*nativeVlan: 4095*'
        New-Case 'a VLAN of text' { $s | Add-Member nativeVlan '1' } '*nativeVlan: integer expected*'
        New-Case 'one direction' { $s | Add-Member direction in } "*direction: 'in': Hyper-V mirrors both*"
        New-Case 'a snaplen' { $s | Add-Member snaplen 64 } '*snaplen: Hyper-V mirrors whole frames*'
        New-Case 'a filter' { $s | Add-Member filter @(@{ port = 1 }) } '*filter: Hyper-V*no filter*'
        New-Case 'two of one name' { $d.sessions = @($s, $s) } "*two are named 'dc1'*" -Schema
        New-Case 'too many' { $d.sessions = @(1..4097 | ForEach-Object { $s }) } '*4097 sessions, 4096 are allowed*'
        New-Case 'a session of null' { $d.sessions = @($null) } '*sessions`[0`]: object expected*'
    )
    $right = @(
        New-Case 'least' { }
        New-Case 'an empty list' { $d.sessions = @() }
        New-Case 'without an owner' { $d.PSObject.Properties.Remove('owner') }
        New-Case 'a list of sensors' { $s.destination.vm = @('A', 'B') }
        New-Case 'an external port' { $s.source = [pscustomobject]@{ externalPort = $true } }
        New-Case 'everything' {
            foreach ($pair in @{ vlans = '1-3,7'; nativeVlan = 7; direction = 'both'; snaplen = 0; filter = @() }.GetEnumerator()) {
                $s | Add-Member $pair.Key $pair.Value
            }
            $s.source | Add-Member adapter LAN
            $s.destination | Add-Member switch span
            $s.destination | Add-Member netAdapter Ethernet
            $s.destination | Add-Member allowManagementOS $false
        }
    )
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'support/World.ps1')
    $schema = Get-Content -Raw (Join-Path $PSScriptRoot '../../hyperv/VMirror/schema/sessions.schema.json')
    function Read-Document { param([string] $Text) & (Get-Module VMirror) { ConvertFrom-SessionDocument -Text $args[0] -From x } $Text }
}

Describe 'Document' {
    BeforeEach {
        $d = '{"vmirror": 1, "owner": "agent", "sessions": [{"name": "dc1", "source": {"vm": "dc1"},
            "destination": {"vm": "SENSOR", "adapter": "Monitor"}}]}' | ConvertFrom-Json
        $s = $d.sessions[0]
    }
    It 'takes <Case>' -ForEach $right {
        . $Do
        $text = $d | ConvertTo-Json -Depth 8
        { Read-Document $text } | Should -Not -Throw
        Test-Json -Json $text -Schema $schema | Should -BeTrue
    }
    It 'refuses <Case>' -ForEach $wrong {
        . $Do
        $text = $d | ConvertTo-Json -Depth 8
        { Read-Document $text } | Should -Throw $Says
        { Read-Document $text } | Should -Throw 'x: *'
        if ($SchemaAgrees) { Test-Json -Json $text -Schema $schema -ErrorAction SilentlyContinue | Should -BeFalse }
    }
    It 'refuses what is no document: <Text>' -ForEach @(@{ Text = '' }, @{ Text = '[]' }, @{ Text = '5' }, @{ Text = 'null' },
        @{ Text = '{"vmirror": 1' }, @{ Text = '<html>' }) {
        { Read-Document $Text } | Should -Throw 'x: *'
    }
    It 'gives every value its place' {
        $s.source | Add-Member adapter LAN
        $s | Add-Member vlans '7,1-3'
        $s | Add-Member nativeVlan 7
        $one = (Read-Document ($d | ConvertTo-Json -Depth 8)).Sessions
        "$($one.Key) $($one.VM) $($one.Adapter) $($one.DestinationVM) $($one.DestinationAdapter) $($one.Vlan)" |
            Should -Be 'agent/dc1 dc1 LAN SENSOR Monitor Trunk 1-3,7 native 7'
    }
    It 'is read from a file, from the pipeline and as an object; a bad one changes nothing' {
        $null = New-StandInWorld
        $null = New-TestHost
        $text = $d | ConvertTo-Json -Depth 8
        $file = Join-Path $TestDrive 'sessions.json'
        Set-Content -LiteralPath $file -Value $text -Encoding UTF8
        (Sync-VMirror -Path $file).State | Should -Be 'ready'
        ($text | Sync-VMirror).State | Should -Be 'ready'
        ($d | Sync-VMirror).State | Should -Be 'ready'
        $changes = Get-ChangeCount
        { Sync-VMirror -InputObject '{"vmirror": 3, "sessions": []}' } | Should -Throw '*version 3*'
        { Sync-VMirror -Path (Join-Path $TestDrive no.json) } | Should -Throw '*no.json*'
        { 'a', 'b' | Sync-VMirror } | Should -Throw '*one document is needed, 2 came*'
        Get-ChangeCount | Should -Be $changes
    }
    It 'makes the sensor ready where the source is on another host' {
        $null = New-StandInWorld
        $h = New-TestHost -Source @()
        $got = $d | Sync-VMirror
        @($got | ForEach-Object { "$($_.State) $($_.Reason)" }) |
            Should -Be @('standby VM dc1 is not on this node; all is ready for it', 'refused no host that was asked has a VM dc1')
        (Get-TestAdapter $h SENSOR Monitor).Mode | Should -Be 'Destination'
        (Get-VMirrorSession).State | Should -Be 'standby'
    }
    It 'leaves the sessions of other owners alone' {
        $null = New-StandInWorld
        $h = New-TestHost -Source dc1, dc2
        $null = Set-VMirrorSession -Name dc2 -VMName dc2 -DestinationVMName SENSOR
        $null = $d | Sync-VMirror
        @(Get-VMirrorSession).Count | Should -Be 2
        $null = Sync-VMirror -InputObject '{"vmirror": 1, "sessions": []}'
        (Get-VMirrorSession).Name | Should -Be 'dc2'
        (Get-VMirrorSession).State | Should -Be 'ready'
        (Get-TestAdapter $h dc1 'Network Adapter').Mode | Should -Be 'None'
    }
}
