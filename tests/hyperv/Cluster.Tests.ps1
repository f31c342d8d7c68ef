# at least: 9 tests
# Many hosts at once: a cluster of stand-in nodes.
BeforeAll {
    . (Join-Path $PSScriptRoot 'support/World.ps1')
    function New-Document {
        param([int] $Nodes)
        @{ vmirror = 1; owner = 'agent'; sessions = @(for ($i = 1; $i -le $Nodes; $i++) {
                    @{ name = "dc$i"; source = @{ vm = "dc$i" }
                        destination = @{ vm = @(1..$Nodes | ForEach-Object { "SENSOR$_" }); adapter = 'Monitor' } }
                })
        } | ConvertTo-Json -Depth 6
    }
}

Describe 'Cluster' {
    It 'follows a VM that moves: the settings stand on the node that it comes to' {
        $world = New-TestCluster 2
        $got = Sync-VMirror -InputObject (New-Document 2) -Cluster hvc1
        @($got | Where-Object State -eq ready | ForEach-Object { "$($_.Name)@$($_.ComputerName)" }) | Should -Be @('dc1@hv1', 'dc2@hv2')
        @($got | Where-Object State -eq standby).Count | Should -Be 2
        $changes = Get-ChangeCount

        Move-StandInVM dc1 hv1 hv2
        @(Get-VMirrorSession -Name dc1 -Cluster hvc1 | ForEach-Object { "$($_.State)@$($_.ComputerName)" }) |
            Should -Be @('standby@hv1', 'ready@hv2')
        Test-VMirrorSession -Cluster . -Quiet | Should -BeTrue
        $null = Sync-VMirror -InputObject (New-Document 2) -Cluster .
        Get-ChangeCount | Should -Be $changes
    }

    It 'refuses a source where no sensor is, and tells where nobody has it' {
        $world = New-TestCluster 2
        $world.Hosts['hv2'].VMs.RemoveAt(1)
        $got = Set-VMirrorSession -Name dc2 -VMName dc2 -DestinationVMName SENSOR1, SENSOR2 -Cluster hvc1
        ($got | Where-Object ComputerName -eq hv2).State | Should -Be 'refused'
        ($got | Where-Object ComputerName -eq hv2).Reason | Should -BeLike '*VM dc2 is on this node, no destination*'
        $got = Set-VMirrorSession -Name dc9 -VMName dc9 -DestinationVMName SENSOR1 -Cluster hvc1
        ($got | Where-Object State -eq refused).Reason | Should -BeLike 'no host that was asked has a VM dc9*'
    }

    It 'reports the node that is <Case> and does the others' -ForEach @(
        @{ Case = 'dead'; Do = { $world.Dead['hv2'] = $true }; Says = '*hv2*Virtual Machine Management service*role Hyper-V*' }
        @{ Case = 'denied'; Do = { $world.Denied['hv2'] = $true }; Says = '*hv2*required permission*Hyper-V Administrators*' }
        @{ Case = 'down'; Do = { $world.NodeState['hv2'] = 'Down' }; Says = '*node hv2 is down*' }
        @{ Case = 'dying'; Do = { $world.FailAt['hv2'] = 2 }; Says = '*hv2*operation failed*' }
    ) {
        $world = New-TestCluster 3
        $before = Get-StandInPicture hv2
        . $Do
        $got = Sync-VMirror -InputObject (New-Document 3) -Cluster hvc1 -ErrorVariable said -ErrorAction SilentlyContinue
        # What the module caught itself is in an -ErrorVariable, too.
        $said = @($said | Where-Object { "$($_.FullyQualifiedErrorId)" -like 'VMirror.*' })
        $said.Count | Should -Be 1
        "$said" | Should -BeLike $Says
        @($got | Where-Object State -eq ready | ForEach-Object Name) | Should -Be @('dc1', 'dc3')
        $world.Dead.Clear(); $world.Denied.Clear(); $world.NodeState.Clear()
        $got = Sync-VMirror -InputObject (New-Document 3) -Cluster hvc1
        @($got | Where-Object State -eq ready | ForEach-Object Name) | Should -Be @('dc1', 'dc2', 'dc3')
        Remove-VMirrorSession -Name * -Cluster hvc1
        Get-StandInPicture hv2 | Should -Be $before
    }

    It 'asks hosts by name, one of them unknown' {
        $null = New-TestCluster 2
        $got = 'hv1', 'nohost', 'hv2' | Get-VMirrorHost -ErrorVariable said -ErrorAction SilentlyContinue
        $got.ComputerName | Should -Be @('hv1', 'hv2')
        "$said" | Should -BeLike '*nohost*'
    }

    It 'changes nothing with -WhatIf, on no node' {
        $null = New-TestCluster 3
        $got = Sync-VMirror -InputObject (New-Document 3) -Cluster hvc1 -WhatIf
        @($got | Where-Object State -eq planned).Count | Should -BeGreaterThan 2
        Get-ChangeCount | Should -Be 0
    }

    It 'applies the whole recipe to 16 nodes with 100 ms a call, and undoes it' {
        $world = New-TestCluster 16
        foreach ($name in $world.Hosts.Keys) {
            $sensor = Get-TestVM $world.Hosts[$name] "SENSOR$($name -replace '\D')"
            $null = $sensor.Adapters.RemoveAt(1)
        }
        $before = @{}
        foreach ($name in $world.Hosts.Keys) { $before[$name] = Get-StandInPicture $name }
        $sessions = @(for ($i = 1; $i -le 16; $i++) {
                $to = @{ vm = "SENSOR$i"; adapter = 'Monitor'; switch = 'vSwitch' }
                @{ name = "dc$i"; source = @{ vm = "dc$i" }; destination = $to }
                @{ name = "span$i"; source = @{ externalPort = $true }; destination = $to }
            })
        $document = @{ vmirror = 1; sessions = $sessions } | ConvertTo-Json -Depth 6
        $world.Delay = 100
        $watch = [Diagnostics.Stopwatch]::StartNew()
        $got = Sync-VMirror -InputObject $document -Cluster hvc1
        $applied = $watch.Elapsed.TotalSeconds
        @($got | Where-Object State -eq ready).Count | Should -Be 32
        $watch.Restart()
        $null = Sync-VMirror -InputObject '{"vmirror": 1, "sessions": []}' -Cluster hvc1
        $undone = $watch.Elapsed.TotalSeconds
        foreach ($name in $world.Hosts.Keys) { Get-StandInPicture $name | Should -Be $before[$name] }
        $calls = @(Get-StandInLog).Count
        $told = '16 nodes, 100 ms a call: applied in {0:N1} s, undone in {1:N1} s (30 s each are meant), {2} calls'
        [Console]::WriteLine(($told -f $applied, $undone, $calls))
        $applied + $undone | Should -BeLessThan 240 -Because 'nodes are worked on side by side'
    }
}
