# at least: 18 tests
# Test-VMirror: frames, counters and the capture, over stand-ins that copy frames by the switch's rules alone.
BeforeDiscovery {
    $frames = @(  # Bytes as hexadecimal; what they are.
        @{ Case = 'TCP to Modbus'
            Hex = '00155D0000AA00155D000001' + '0800' +
            '4500002800010000400600000A0000010A000002' + 'C00001F6' + '00' * 16
            Is = '00155D0000AA 00155D000001 2048 -1 6 49152 502' }
        @{ Case = 'UDP over IPv6'
            Hex = '3333000000FB00155D000001' + '86DD' +
            '6000000000081140' + '00' * 32 + '14E914E9' + '00' * 4
            Is = '3333000000FB 00155D000001 34525 -1 17 5353 5353' }
        @{ Case = 'a VLAN tag'
            Hex = '00155D0000AA00155D000001' + '8100A00A0800' +
            '4500002800010000401100000A0000010A000002' + '00580058' + '00' * 8
            Is = '00155D0000AA 00155D000001 2048 10 17 88 88' }
        @{ Case = 'two VLAN tags'
            Hex = '00155D0000AA00155D000001' + '88A800148100000A0806' +
            '00' * 28
            Is = '00155D0000AA 00155D000001 2054 20 -1' }
        @{ Case = 'IP options'
            Hex = '00155D0000AA00155D000001' + '0800' +
            '460000280001000040060000' + '0A0000010A000002' + '94040000' + '01850050' + '00' * 16
            Is = '00155D0000AA 00155D000001 2048 -1 6 389 80' }
        @{ Case = 'a later fragment'
            Hex = '00155D0000AA00155D000001' + '0800' +
            '4500002800010005400600000A0000010A000002' + 'C00001F6' + '00' * 16
            Is = '00155D0000AA 00155D000001 2048 -1 6' }
        @{ Case = 'a header cut short'
            Hex = '00155D0000AA00155D000001' + '0800' +
            '45000028'
            Is = '00155D0000AA 00155D000001 2048 -1 -1' }
        @{ Case = 'a tag cut short'
            Hex = '00155D0000AA00155D000001' + '8100'
            Is = '00155D0000AA 00155D000001 33024 -1 -1' }
        @{ Case = 'thirteen bytes'; Hex = '00155D0000AA00155D00000108'; Is = '' }
    )
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'support/World.ps1')
    function ConvertFrom-Hex {
        param([string] $Hex)
        , [byte[]]@(for ($i = 0; $i -lt $Hex.Length; $i += 2) { [Convert]::ToByte($Hex.Substring($i, 2), 16) })
    }
    function New-TestFrame { param([string] $To, [string] $From, [string] $Ports)
        ConvertFrom-Hex ($To + $From + '0800' + '4500002800010000400600000A0000010A000002' + $Ports + '00' * 16) }
    # Frames of a conversation of that MAC: the answer goes to the source's traffic, too.
    function Add-TestTraffic { param($Of, [string] $Mac, [int] $Count = 10, [switch] $OneWay)
        $Of.Traffic[$Mac] = @(for ($i = 0; $i -lt $Count; $i++) {
                if ($i % 2 -and -not $OneWay) { , (New-TestFrame $Mac '00155D0000AA' '0058C000') }
                else { , (New-TestFrame '00155D0000AA' $Mac 'C0000058') }
            }) }
    function Select-Check { param($Checks, [string] $Like) @($Checks | Where-Object { $_.Check -like $Like }) }
}

Describe 'Proof' {
    It 'reads a frame: <Case>' -ForEach $frames {
        $fact = & (Get-Module VMirror) { param($b) ConvertTo-FrameFact $b } (ConvertFrom-Hex $Hex)
        if ($Is -eq '') { $fact | Should -BeNullOrEmpty; return }
        "$($fact.Destination) $($fact.Source) $($fact.Type) $($fact.Vlan) $($fact.Protocol) $($fact.Ports)".Trim() | Should -Be $Is
    }

    Context 'on a host' {
        BeforeEach {
            $world = New-StandInWorld
            $h = New-TestHost
            $mac = (Get-TestAdapter $h dc1 'Network Adapter').Mac
            $null = Set-VMirrorSession -Name dc1 -VMName dc1 -DestinationVMName SENSOR
            $before = Get-StandInPicture hv1
            $changes = Get-ChangeCount
        }
        AfterEach {
            Get-StandInPicture hv1 | Should -Be $before
            Get-ChangeCount | Should -Be $changes
            $h.Captures.Count | Should -Be 0
            Get-ChildItem ([IO.Path]::GetTempPath()) -Filter 'vmirror-*.etl' | Should -BeNullOrEmpty
        }

        It 'proves a session that works' {
            Add-TestTraffic $h $mac
            $checks = Test-VMirror -Name dc1 -Seconds 1
            @($checks | Where-Object { $_.Passed -eq $false }) | Should -BeNullOrEmpty
            (Select-Check $checks 'traffic on the monitor adapter').Actual | Should -Be '10 frames'
            (Select-Check $checks 'copies are complete').Actual | Should -Be '10 frames'
            (Select-Check $checks 'copies against the capture').Expected | Should -Be '99% of 10 captured'
            (Select-Check $checks 'both directions of Kerberos').Actual | Should -Be '5 sent, 5 received'
            (Select-Check $checks 'unicast*').Actual | Should -Be '10 with 1 peers'
            Test-VMirror -Seconds 1 -Quiet | Should -BeTrue
        }
        It 'sees copies that do not come' {
            Add-TestTraffic $h $mac
            $h['CopiesStop'] = $true
            $checks = Test-VMirror -Seconds 1
            @($checks | Where-Object { $_.Passed -eq $false }).Check |
                Should -Be @('traffic on the monitor adapter', 'copies are complete', 'copies against the capture')
            (Select-Check $checks 'traffic*').Remedy | Should -BeLike 'no traffic detected*'
            Test-VMirror -Seconds 1 -Quiet | Should -BeFalse
        }
        It 'sees one direction of a service' {
            Add-TestTraffic $h $mac -OneWay
            $checks = Test-VMirror -Seconds 1
            (Select-Check $checks 'both directions').Passed | Should -BeFalse
            (Select-Check $checks 'both directions of Kerberos').Passed | Should -BeFalse
        }
        It 'sees a capture of broadcasts alone' {
            $h.Traffic[$mac] = @(1..6 | ForEach-Object { , (ConvertFrom-Hex ('FFFFFFFFFFFF' + $mac + '0806' + '00' * 28)) })
            $checks = Test-VMirror -Seconds 1
            (Select-Check $checks 'unicast*').Passed | Should -BeFalse
            (Select-Check $checks 'not mostly broadcast').Actual | Should -Be '100% to groups, 6 ARP'
        }
        It 'does not claim what nobody can tell: silence' {
            $checks = Test-VMirror -Seconds 1
            @(Select-Check $checks 'traffic*').Count | Should -Be 1
            (Select-Check $checks 'traffic*').Passed | Should -Be $null
            Test-VMirror -Seconds 1 -Quiet | Should -BeFalse
        }
        It 'leaves a capture of somebody else alone and compares counters' {
            Add-TestTraffic $h $mac
            $h.Captures['theirs'] = @{ Name = 'theirs'; File = ''; Addresses = @(); Running = $true }
            $checks = Test-VMirror -Seconds 1
            (Select-Check $checks 'independent capture').Remedy | Should -BeLike '*capture session theirs is running*'
            (Select-Check $checks 'copies are complete').Passed | Should -BeTrue
            $h.Captures.Remove('theirs')
        }
        It 'can leave the capture out' {
            Add-TestTraffic $h $mac
            (Select-Check (Test-VMirror -Seconds 1 -NoCapture) 'independent capture').Remedy | Should -Be 'left out by -NoCapture'
        }
        It 'tells a session that is not there' {
            Test-VMirror -Name no -Seconds 1 -ErrorVariable said -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
            "$said" | Should -BeLike "*no session 'no'*"
        }
    }

    It 'watches all nodes of a cluster by their counters; one that is dead is an error' {
        $world = New-TestCluster 3
        for ($i = 1; $i -le 3; $i++) {
            Add-TestTraffic $world.Hosts["hv$i"] (Get-TestAdapter $world.Hosts["hv$i"] "dc$i" 'Network Adapter').Mac
            $null = Set-VMirrorSession -Name "dc$i" -VMName "dc$i" -DestinationVMName "SENSOR$i" -ComputerName "hv$i"
        }
        $world.Dead['hv2'] = $true
        $checks = Test-VMirror -Cluster hvc1 -Seconds 1 -ErrorVariable said -ErrorAction SilentlyContinue
        @(Select-Check $checks 'copies are complete' | ForEach-Object { "$($_.Session)@$($_.ComputerName) $($_.Passed)" }) |
            Should -Be @('dc1@hv1 True', 'dc3@hv3 True')
        (Select-Check $checks 'independent capture')[0].Remedy | Should -BeLike '*run Test-VMirror there*'
        "$said" | Should -BeLike '*hv2*'
        Test-VMirror -Cluster hvc1 -Seconds 1 -Quiet -ErrorAction SilentlyContinue | Should -BeFalse
    }
}
