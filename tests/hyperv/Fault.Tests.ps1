# at least: 1 tests
# A host that dies in the middle: at each changing call in turn. The next run mends what was left.
BeforeAll { . (Join-Path $PSScriptRoot 'support/World.ps1') }

Describe 'Fault' {
    BeforeEach {
        $world = New-StandInWorld
        $h = New-TestHost
        $null = (Get-TestVM $h SENSOR).Adapters.RemoveAt(1)
        $before = Get-StandInPicture hv1
        $span = @{
            Name = 'span'; ExternalPort = $true; DestinationVMName = 'SENSOR'; SwitchName = 'new'; NetAdapterName = 'Ethernet'
        }
        $document = @{ vmirror = 1; sessions = @(
                @{ name = 'span'; source = @{ externalPort = $true }
                    destination = @{ vm = 'SENSOR'; adapter = 'Span'; switch = 'new'; netAdapter = 'Ethernet' } }
                @{ name = 'dc1'; source = @{ vm = 'dc1' }; destination = @{ vm = 'SENSOR'; adapter = 'Monitor'; switch = 'vSwitch' } })
        } | ConvertTo-Json -Depth 6
        $none = '{"vmirror": 1, "sessions": []}'
    }

    It 'applies and undoes, wherever the host dies' {
        $null = Sync-VMirror -InputObject $document
        $goal = Get-StandInSetting hv1
        $calls = Get-ChangeCount
        $null = Sync-VMirror -InputObject $none
        $undo = (Get-ChangeCount) - $calls
        Get-StandInPicture hv1 | Should -Be $before
        $calls | Should -BeGreaterThan 10
        $undo | Should -BeGreaterThan 8

        for ($n = 1; $n -le $calls; $n++) {
            $world.FailAt['hv1'] = $n
            $got = Sync-VMirror -InputObject $document -ErrorVariable said -ErrorAction SilentlyContinue
            "$said" | Should -Match 'operation failed'
            @($got | Where-Object State -eq ready).Count | Should -Be 0
            $world.Dead.Clear()
            $got = Sync-VMirror -InputObject $document
            @($got | Where-Object State -ne ready).Count | Should -Be 0 -Because "call $n failed before"
            Get-StandInSetting hv1 | Should -Be $goal -Because "call $n failed before"
            $null = Sync-VMirror -InputObject $none
            Get-StandInPicture hv1 | Should -Be $before -Because "call $n failed before"
        }
        for ($n = 1; $n -le $calls; $n++) {  # And undone straight from where it died.
            $world.FailAt['hv1'] = $n
            $null = Sync-VMirror -InputObject $document -ErrorAction SilentlyContinue
            $world.Dead.Clear()
            $null = Sync-VMirror -InputObject $none
            Get-StandInPicture hv1 | Should -Be $before -Because "call $n failed before"
        }
        for ($n = 1; $n -le $undo; $n++) {
            $null = Sync-VMirror -InputObject $document
            $world.FailAt['hv1'] = $n
            $null = Sync-VMirror -InputObject $none -ErrorVariable said -ErrorAction SilentlyContinue
            "$said" | Should -Match 'operation failed'
            $world.Dead.Clear()
            $null = Sync-VMirror -InputObject $none
            Get-StandInPicture hv1 | Should -Be $before -Because "undoing, call $n failed before"
        }
    }
}
