# at least: 38 tests
# Set-, Get-, Test- and Remove-VMirrorSession on one host, over the stand-in modules.
BeforeDiscovery {
    # What makes a source or a destination impossible, each with the words that its reason must have.
    $refusals = @(
        @{ Why = 'SR-IOV'; Do = { (Get-TestAdapter $h dc1 'Network Adapter').IovWeight = 50; $h.Switches[0].IovEnabled = $true }
            Says = '*SR-IOV*IovWeight 50*' }
        @{ Why = 'never started'; Do = { (Get-TestAdapter $h dc1 'Network Adapter').Mac = '000000000000' }; Says = '*never started*' }
        @{ Why = 'another switch'; Do = { $null = Add-StandInSwitch $h other; (Get-TestAdapter $h dc1 'Network Adapter').Switch = 'other' }
            Says = '*is on switch other*on vSwitch*one switch only*' }
        @{ Why = 'not connected'; Do = { (Get-TestAdapter $h dc1 'Network Adapter').Switch = '' }; Says = '*dc1*not connected*' }
        @{ Why = 'LBFO'; Do = { $h.Switches[0].NetAdapterInterfaceDescription = 'Microsoft Network Adapter Multiplexor Driver' }
            Says = '*LBFO team*' }
        @{ Why = 'no source'; Do = { $h.VMs.RemoveAt(0) }; Says = '*no VM dc1 here*' }
        @{ Why = 'no destination'; Do = { $h.VMs.RemoveAt(1) }; Says = '*no VM SENSOR here*' }
        @{ Why = 'no monitor adapter'; Do = { $null = (Get-TestVM $h SENSOR).Adapters.RemoveAt(1) }; Says = '*has no adapter Monitor*' }
        @{ Why = 'two monitor adapters'; Do = { $null = Add-StandInAdapter (Get-TestVM $h SENSOR) Monitor vSwitch }
            Says = '*2 adapters named Monitor*' }
        @{ Why = 'two VMs of one name'; Do = { $null = Add-StandInVM $h dc1 }; Says = '*2 VMs are named dc1*' }
        @{ Why = 'a source that somebody made a destination'; Do = { (Get-TestAdapter $h dc1 'Network Adapter').Mode = 'Destination' }
            Says = "*dc1*'Destination', set by somebody else*" }
        @{ Why = 'a monitor that somebody made a source'; Do = { (Get-TestAdapter $h SENSOR Monitor).Mode = 'Source' }
            Says = "*SENSOR*'Source', set by somebody else*" }
        @{ Why = 'a monitor in a VLAN, its source in another'
            Do = { Set-VMNetworkAdapterVlan -VMName SENSOR -VMNetworkAdapterName Monitor -Access -VlanId 10
                Set-VMNetworkAdapterVlan -VMName dc1 -Access -VlanId 20 }
            Says = "*'Access 10', set by somebody else, and loses the frames of a source with 'Access 20'*" }
        @{ Why = 'a mark that can not be read'; Do = { (Get-TestVM $h dc1).Notes = "[vmirror] {`"v`":1,`"marks`":[{}]}" }
            Says = '*notes of VM dc1*no ?kind?*' }
        @{ Why = 'a mark of a later version'; Do = { (Get-TestVM $h dc1).Notes = '[vmirror] {"v":2}' }; Says = "*version is '2'*" }
    )
    $kept = @(
        @{ Case = 'no notes'; Notes = '' }, @{ Case = 'one line'; Notes = 'a' }
        @{ Case = 'lines of Windows'; Notes = "a`r`nb`r`n" }, @{ Case = 'lines of Unix'; Notes = "`na`n`n" }
        @{ Case = 'white space'; Notes = '   ' }, @{ Case = 'our name'; Notes = 'see [vmirror] of ops' }
    )
}

BeforeAll { . (Join-Path $PSScriptRoot 'support/World.ps1') }

Describe 'Session' {
    BeforeEach {
        $world = New-StandInWorld
        $h = New-TestHost
        $before = Get-StandInPicture hv1
        $one = @{ Name = 'dc1'; VMName = 'dc1'; DestinationVMName = 'SENSOR' }
    }

    It 'comes to what the manual recipe comes to, setting by setting' {
        # By hand, as the vendors' guides have it; the source's adapter and a span of the external port, too.
        Set-VMNetworkAdapter -VMName SENSOR -Name Monitor -PortMirroring Destination
        Enable-VMSwitchExtension -VMSwitchName vSwitch -Name 'Microsoft-NDIS-Aufzeichnung'
        $f = Get-VMSystemSwitchExtensionPortFeature -FeatureId 776e0ba7-94a1-41c8-8f28-951f524251b5
        $f.SettingData.MonitorMode = 2
        Add-VMSwitchExtensionPortFeature -ExternalPort -SwitchName vSwitch -VMSwitchExtensionFeature $f
        Set-VMNetworkAdapterVlan -VMName SENSOR -VMNetworkAdapterName Monitor -Trunk -AllowedVlanIdList 0-4094 -NativeVlanId 0
        Set-VMNetworkAdapter -VMName dc1 -PortMirroring Source
        $manual = Get-StandInSetting hv1

        $null = New-StandInWorld
        $h = New-TestHost
        $before = Get-StandInPicture hv1
        Set-VMirrorSession @one | Select-Object -ExpandProperty State | Should -Be 'ready'
        Set-VMirrorSession -Name span -ExternalPort -DestinationVMName SENSOR | ForEach-Object State | Should -Be 'ready'
        Get-StandInSetting hv1 | Should -Be $manual
        Remove-VMirrorSession -Name *
        Get-StandInPicture hv1 | Should -Be $before
    }

    It 'makes switch and adapter as the recipe does, and takes them away' {
        $null = (Get-TestVM $h SENSOR).Adapters.RemoveAt(1)
        $before = Get-StandInPicture hv1
        New-VMSwitch -Name vSwitch_Span -NetAdapterName Ethernet -AllowManagementOS:$true
        Add-VMNetworkAdapter -VMName SENSOR -Name Monitor -SwitchName vSwitch_Span
        Set-VMNetworkAdapter -VMName SENSOR -Name Monitor -PortMirroring Destination
        Enable-VMSwitchExtension -VMSwitchName vSwitch_Span -Name 'Microsoft-NDIS-Aufzeichnung'
        $f = Get-VMSystemSwitchExtensionPortFeature -FeatureId 776e0ba7-94a1-41c8-8f28-951f524251b5
        $f.SettingData.MonitorMode = 2
        Add-VMSwitchExtensionPortFeature -ExternalPort -SwitchName vSwitch_Span -VMSwitchExtensionFeature $f
        Set-VMNetworkAdapterVlan -VMName SENSOR -VMNetworkAdapterName Monitor -Trunk -AllowedVlanIdList 1010-1020 -NativeVlanId 10
        $manual = Get-StandInSetting hv1

        $null = New-StandInWorld
        $h = New-TestHost
        $null = (Get-TestVM $h SENSOR).Adapters.RemoveAt(1)
        $span = @{
            Name = 'span'; ExternalPort = $true; DestinationVMName = 'SENSOR'; SwitchName = 'vSwitch_Span'
            NetAdapterName = 'Ethernet'; AllowedVlanIdList = '1010-1020'; NativeVlanId = 10
        }
        (Set-VMirrorSession @span).State | Should -Be 'ready'
        Get-StandInSetting hv1 | Should -Be $manual
        $changes = Get-ChangeCount
        (Set-VMirrorSession @span).State | Should -Be 'ready'
        Get-ChangeCount | Should -Be $changes
        Remove-VMirrorSession -Name span
        Get-StandInPicture hv1 | Should -Be $before
    }

    It 'keeps a switch of its own while a foreign adapter is on it' {
        $null = (Get-TestVM $h SENSOR).Adapters.RemoveAt(1)
        $null = Set-VMirrorSession -Name span -ExternalPort -DestinationVMName SENSOR -SwitchName new -NetAdapterName Ethernet
        (Get-TestAdapter $h dc1 'Network Adapter').Switch = 'new'
        Remove-VMirrorSession -Name span -WarningVariable said -WarningAction SilentlyContinue
        "$said" | Should -BeLike '*switch new is ours and stays: dc1/Network Adapter is on it*'
        @($h.Switches | ForEach-Object { $_.Name }) | Should -Contain 'new'
        (Get-TestAdapter $h dc1 'Network Adapter').Switch = 'vSwitch'
        Remove-VMirrorSession -Name span
        @($h.Switches | ForEach-Object { $_.Name }) | Should -Be @('vSwitch')
    }

    It 'changes nothing in a second run' {
        $null = Set-VMirrorSession @one
        $changes = Get-ChangeCount
        $changes | Should -BeGreaterThan 3
        (Set-VMirrorSession @one).State | Should -Be 'ready'
        Get-ChangeCount | Should -Be $changes
    }

    It 'changes nothing with -WhatIf' {
        (Set-VMirrorSession @one -WhatIf).State | Should -Be 'planned'
        Get-ChangeCount | Should -Be 0
        Get-StandInPicture hv1 | Should -Be $before
        $null = Set-VMirrorSession @one
        $changes = Get-ChangeCount
        Remove-VMirrorSession -Name dc1 -WhatIf
        Get-ChangeCount | Should -Be $changes
    }

    It 'is refused: <Why>' -ForEach $refusals {
        . $Do
        $before = Get-StandInPicture hv1
        $changes = Get-ChangeCount
        $got = Set-VMirrorSession @one
        $got.State | Should -Be 'refused'
        $got.Reason | Should -BeLike $Says
        Get-ChangeCount | Should -Be $changes
        Get-StandInPicture hv1 | Should -Be $before
    }

    It 'is not refused for SR-IOV that the switch does not have' {
        (Get-TestAdapter $h dc1 'Network Adapter').IovWeight = 50
        (Set-VMirrorSession @one).State | Should -Be 'ready'
    }

    It 'gives notes back as they were: <Case>' -ForEach $kept {
        (Get-TestVM $h dc1).Notes = $Notes
        $null = Set-VMirrorSession @one
        (Get-TestVM $h dc1).Notes | Should -Not -Be $Notes
        Remove-VMirrorSession -Name dc1
        (Get-TestVM $h dc1).Notes | Should -Be $Notes
    }

    It 'keeps what a person writes into the notes meanwhile' {
        $null = Set-VMirrorSession @one
        (Get-TestVM $h dc1).Notes = "new first`n" + (Get-TestVM $h dc1).Notes + "`nnew last"
        Remove-VMirrorSession -Name dc1
        (Get-TestVM $h dc1).Notes | Should -Be "new first`nfirst line`r`nsecond line`nnew last"
    }

    It 'uses what somebody else set and never undoes it' {
        (Get-TestAdapter $h SENSOR Monitor).Mode = 'Destination'
        (Get-TestAdapter $h SENSOR Monitor).Vlan = @{ OperationMode = 'Trunk'; AccessVlanId = 0; NativeVlanId = 0; Allowed = '0-100' }
        $h.Switches[0].Capture = $true
        $before = Get-StandInPicture hv1
        $got = Set-VMirrorSession @one
        $got.State | Should -Be 'ready'
        "$($got.Warnings)" | Should -BeLike '*keeps its VLANs*not ours*'
        (Get-VMirrorHost).Adapters | Where-Object Name -eq Monitor | ForEach-Object Owner | Should -Be 'foreign'
        Remove-VMirrorSession -Name dc1
        Get-StandInPicture hv1 | Should -Be $before
    }

    It 'leaves what somebody changed since, and says so' {
        $null = Set-VMirrorSession @one
        (Get-TestAdapter $h dc1 'Network Adapter').Mode = 'Destination'
        Remove-VMirrorSession -Name dc1 -WarningVariable said -WarningAction SilentlyContinue
        (Get-TestAdapter $h dc1 'Network Adapter').Mode | Should -Be 'Destination'
        (Get-TestVM $h dc1).Notes | Should -Be "first line`r`nsecond line"
    }

    It 'mends what somebody put back to its default' {
        $null = Set-VMirrorSession @one
        (Get-TestAdapter $h dc1 'Network Adapter').Mode = 'None'
        (Get-VMirrorSession).State | Should -Be 'failed'
        Test-VMirrorSession -Quiet | Should -BeFalse
        @(Test-VMirrorSession | Where-Object { -not $_.Passed }).Check | Should -BeLike 'port mirroring of VM dc1*'
        (Set-VMirrorSession @one).State | Should -Be 'ready'
        Test-VMirrorSession -Quiet | Should -BeTrue
        Remove-VMirrorSession -Name dc1
        Get-StandInPicture hv1 | Should -Be $before
    }

    It 'leaves the settings of the external port that are not its own' {
        $h.Switches[0].Feature = @{ AllowMacSpoofing = $true; EnableDhcpGuard = $false; EnableRouterGuard = $true
            AllowIeeePriorityTag = $false; AllowTeaming = $false; MonitorMode = [byte]0; MonitorSession = [byte]0
            VirtualSubnetId = [uint32]7; TeamNumber = [uint32]0; TeamName = ''; DynamicIPAddressLimit = [uint32]0
            StormLimit = [uint32]0; EnableFixSpeed10G = $false }
        $before = Get-StandInPicture hv1
        $null = Set-VMirrorSession -Name span -ExternalPort -DestinationVMName SENSOR
        $h.Switches[0].Feature.MonitorMode | Should -Be 2
        $h.Switches[0].Feature.VirtualSubnetId | Should -Be 7
        Remove-VMirrorSession -Name span
        Get-StandInPicture hv1 | Should -Be $before
    }

    It 'takes only the monitoring mode off a feature of its own that somebody else uses since' {
        $null = Set-VMirrorSession -Name span -ExternalPort -DestinationVMName SENSOR
        $h.Switches[0].Feature.EnableDhcpGuard = $true
        Remove-VMirrorSession -Name span
        $h.Switches[0].Feature.MonitorMode | Should -Be 0
        $h.Switches[0].Feature.EnableDhcpGuard | Should -BeTrue
    }

    It 'shares a monitor adapter: the last session takes its settings off' {
        $vm = Add-StandInVM $h dc2
        $null = Add-StandInAdapter $vm 'Network Adapter' vSwitch
        $before = Get-StandInPicture hv1
        $null = Set-VMirrorSession @one
        $null = Set-VMirrorSession -Name dc2 -VMName dc2 -DestinationVMName SENSOR
        Remove-VMirrorSession -Name dc1
        (Get-TestAdapter $h dc1 'Network Adapter').Mode | Should -Be 'None'
        (Get-TestAdapter $h SENSOR Monitor).Mode | Should -Be 'Destination'
        (Get-VMirrorSession).Name | Should -Be 'dc2'
        Get-VMirrorSession | Remove-VMirrorSession
        Get-StandInPicture hv1 | Should -Be $before
    }

    It 'refuses what contradicts another session' {
        $null = Set-VMirrorSession @one
        $got = Set-VMirrorSession -Name back -VMName SENSOR -VMNetworkAdapterName Monitor -DestinationVMName dc1 `
            -DestinationAdapterName 'Network Adapter'
        $got.State | Should -Be 'refused'
        (Get-VMirrorSession).Name | Should -Be 'dc1'
        (Get-VMirrorSession).State | Should -Be 'ready'
    }

    It 'changes a session to another adapter and drops the first' {
        $null = Add-StandInAdapter (Get-TestVM $h dc1) 'LAN' vSwitch
        $null = Set-VMirrorSession @one
        $null = Set-VMirrorSession @one -VMNetworkAdapterName LAN
        (Get-TestAdapter $h dc1 'Network Adapter').Mode | Should -Be 'None'
        (Get-TestAdapter $h dc1 'LAN').Mode | Should -Be 'Source'
        Remove-VMirrorSession -Name dc1
        Get-StandInSetting hv1 | Should -Not -Match 'mode=Source'
    }

    It 'takes VMs from the pipeline' {
        $vm = Add-StandInVM $h dc2
        $null = Add-StandInAdapter $vm 'Network Adapter' vSwitch
        $got = Get-VM -Name dc* | Set-VMirrorSession -DestinationVMName SENSOR
        $got.Name | Should -Be @('dc1', 'dc2')
        $got.State | Should -Be @('ready', 'ready')
        @(Get-VMirrorSession -Name dc* | Test-VMirrorSession).Passed | Should -Not -Contain $false
    }

    It 'tells names that are not there, and bad arguments' {
        Get-VMirrorSession -Name no -ErrorVariable said -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        "$said" | Should -BeLike "*no session 'no'*"
        Set-VMirrorSession -Name 'a/b' -VMName dc1 -DestinationVMName SENSOR -ErrorVariable said -ErrorAction SilentlyContinue
        "$said" | Should -BeLike "*'a/b' is no name*"
        Set-VMirrorSession @one -AllowedVlanIdList '5-4' -ErrorVariable said -ErrorAction SilentlyContinue
        "$said" | Should -BeLike '*vlans*lower one first*'
        { Set-VMirrorSession @one -ComputerName a -Cluster b } | Should -Throw '*not both*'
    }
}
