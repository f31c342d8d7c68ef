# Carries steps out on one host. An edge. It stops at the first error: marks tell the next run what is half done.

# $Steps: of New-Plan, in their order. Marks first, then the changes, then the marks of what was undone.
function Invoke-HostStep {
    param([hashtable] $Node, [object[]] $Steps)
    $ErrorActionPreference = 'Stop'
    $ConfirmPreference = 'None'  # The person was asked already.
    $WhatIfPreference = $false
    Import-HyperVModule
    $objects = @{}
    Write-HostMark -Node $Node -Objects $objects -Steps @($Steps | Where-Object { -not $_.Undo })
    foreach ($step in $Steps) {
        if ($step.Change) {
            Write-Verbose "$($step.Text)"
            Set-HostSetting -Node $Node -Objects $objects -Step $step
        }
    }
    Write-HostMark -Node $Node -Objects $objects -Steps @($Steps | Where-Object { $_.Undo }) -Remove
}

# The notes of each VM and switch that the steps are about, once each, and only where they differ.
function Write-HostMark {
    param([hashtable] $Node, [hashtable] $Objects, [object[]] $Steps, [switch] $Remove)
    $ErrorActionPreference = 'Stop'
    foreach ($group in @($Steps | Group-Object -Property { "$($_.Setting.Holder)|$($_.Setting.HolderId)" })) {
        $setting = $group.Group[0].Setting
        # A switch that is to be made gets its mark by New-VMSwitch; one that was removed has none.
        if ($setting.HolderId -eq '') { continue }
        if (@($group.Group | Where-Object { $_.Undo -and $_.Change -and $_.Setting.Kind -eq 'switch' })) { continue }
        $object = Get-HolderObject -Node $Node -Objects $Objects -Setting $setting -Again
        $note = ConvertFrom-Note -Note (Get-Value $object 'Notes' '')
        if ($note.Error) { throw "the notes of $($setting.Holder) $($setting.HolderName): $($note.Error)" }
        $marks = Merge-Mark -Mark $note.Marks -Change @($group.Group | ForEach-Object { $_.Mark }) -Remove:$Remove
        $text = ConvertTo-Note -Text $note.Text -Mark @($marks)
        if ($text -eq "$(Get-Value $object 'Notes' '')") { continue }
        if ($setting.Holder -eq 'vm') { Set-VM -VM $object -Notes $text }
        else { Set-VMSwitch -VMSwitch $object -Notes $text }
    }
}

# The VM or switch of a setting, by its id: names are not unique. Kept for this run, unless $Again.
function Get-HolderObject {
    param([hashtable] $Node, [hashtable] $Objects, $Setting, [switch] $Again)
    $ErrorActionPreference = 'Stop'
    $key = "$($Setting.Holder)|$($Setting.HolderId)"
    if ($Again -or -not $Objects.ContainsKey($key)) {
        if ($Setting.Holder -eq 'vm') { $Objects[$key] = Get-VM -Id $Setting.HolderId @Node }
        else { $Objects[$key] = Get-VMSwitch -Id $Setting.HolderId @Node }
    }
    $Objects[$key]
}

function Get-AdapterObject {
    param([hashtable] $Node, [hashtable] $Objects, $Setting)
    $ErrorActionPreference = 'Stop'
    $vm = Get-HolderObject -Node $Node -Objects $Objects -Setting $Setting
    $adapter = @(Get-VMNetworkAdapter -VM $vm | Where-Object { $_.Id -eq $Setting.On })
    if ($adapter.Count -eq 0) { throw "$(Get-SettingLabel $Setting): the adapter is gone (run the command again)" }
    $adapter[0]
}

function Set-HostSetting {
    param([hashtable] $Node, [hashtable] $Objects, $Step)
    $ErrorActionPreference = 'Stop'
    $setting = $Step.Setting
    switch ($setting.Kind) {
        'mode' {
            $adapter = Get-AdapterObject -Node $Node -Objects $Objects -Setting $setting
            Set-VMNetworkAdapter -VMNetworkAdapter $adapter -PortMirroring $Step.To
        }
        'vlan' {
            $adapter = Get-AdapterObject -Node $Node -Objects $Objects -Setting $setting
            $arguments = ConvertTo-VlanArgument $Step.To
            Set-VMNetworkAdapterVlan -VMNetworkAdapter $adapter @arguments
        }
        'adapter' {
            $vm = Get-HolderObject -Node $Node -Objects $Objects -Setting $setting
            if ($Step.To -eq 'present') {
                Add-VMNetworkAdapter -VM $vm -Name $setting.On -SwitchName $Step.Create.SwitchName
            } else {
                $own = @(Get-VMNetworkAdapter -VM $vm | Where-Object { $_.Name -eq $setting.On })
                foreach ($adapter in $own) { Remove-VMNetworkAdapter -VMNetworkAdapter $adapter }
            }
        }
        'capture' {
            $switch = Get-HolderObject -Node $Node -Objects $Objects -Setting $setting
            $extension = Get-VMSwitchExtension -VMSwitch $switch | Where-Object { $_.Id -eq $script:CaptureExtensionId }
            if ($Step.To -eq 'Enabled') { $null = Enable-VMSwitchExtension -VMSwitchExtension $extension }
            else { $null = Disable-VMSwitchExtension -VMSwitchExtension $extension }
        }
        'external' { Set-ExternalMode -Node $Node -SwitchName $setting.HolderName -To $Step.To }
        'switch' {
            if ($Step.To -eq 'present') {
                $null = New-VMSwitch -Name $setting.HolderName -NetAdapterName $Step.Create.NetAdapter `
                    -AllowManagementOS $Step.Create.AllowManagementOS `
                    -Notes (ConvertTo-Note -Text '' -Mark @($Step.Mark)) @Node
            } else {
                $switch = Get-HolderObject -Node $Node -Objects $Objects -Setting $setting
                Remove-VMSwitch -VMSwitch $switch -Force
            }
        }
    }
}

# One feature holds the monitoring mode, spoofing, guards and teaming: it is only taken off where we put it on
# and everything else in it is at its default; else its monitoring mode alone goes back.
function Set-ExternalMode {
    param([hashtable] $Node, [string] $SwitchName, [string] $To)
    $ErrorActionPreference = 'Stop'
    $there = Get-ExternalFeature -SwitchName $SwitchName -Node $Node
    $template = Get-VMSystemSwitchExtensionPortFeature -FeatureId $script:SecurityFeatureId @Node | Select-Object -First 1
    if ($To -eq 'absent') {
        if ($null -eq $there) { return }
        $there.SettingData.MonitorMode = 0
        if ($template -and (Test-DefaultFeature -Feature $there -Template $template)) {
            $null = Remove-VMSwitchExtensionPortFeature -ExternalPort -SwitchName $SwitchName `
                -VMSwitchExtensionFeature $there @Node
        } else {
            $null = Set-VMSwitchExtensionPortFeature -ExternalPort -SwitchName $SwitchName `
                -VMSwitchExtensionFeature $there @Node
        }
    } elseif ($there) {
        $there.SettingData.MonitorMode = [byte]$To
        $null = Set-VMSwitchExtensionPortFeature -ExternalPort -SwitchName $SwitchName -VMSwitchExtensionFeature $there @Node
    } else {
        $template.SettingData.MonitorMode = [byte]$To
        $null = Add-VMSwitchExtensionPortFeature -ExternalPort -SwitchName $SwitchName `
            -VMSwitchExtensionFeature $template @Node
    }
}

# True if the feature's settings are the template's; what tells one instance from another is passed over.
function Test-DefaultFeature {
    param($Feature, $Template)
    $names = 'AllowMacSpoofing', 'EnableDhcpGuard', 'EnableRouterGuard', 'AllowIeeePriorityTag', 'AllowTeaming',
    'EnableFixSpeed10G', 'MonitorMode', 'MonitorSession', 'VirtualSubnetId', 'TeamNumber', 'TeamName',
    'DynamicIPAddressLimit', 'StormLimit'
    foreach ($name in $names) {
        $mine = "$(Get-Value $Feature.SettingData $name '')"
        $default = "$(Get-Value $Template.SettingData $name '')"
        if ($mine -ne $default) { return $false }
    }
    $true
}
