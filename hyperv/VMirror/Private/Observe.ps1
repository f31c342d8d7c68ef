# Reads a host into a state (Setting.ps1 says its shape). An edge: it calls Hyper-V's cmdlets and changes nothing.

# $Node: the arguments that name the host: @{} is this one, @{ ComputerName = 'hv1'; Credential = ... } another.
function Get-HostState {
    param([hashtable] $Node)
    $ErrorActionPreference = 'Stop'
    Import-HyperVModule
    $computer = "$((Get-VMHost @Node).ComputerName)"
    $switches = @(foreach ($switch in @(Get-VMSwitch @Node)) { ConvertTo-SwitchState -Switch $switch -Node $Node })
    $adapters = @{}
    foreach ($adapter in @(Get-VMNetworkAdapter -VMName '*' @Node)) {
        $vm = "$($adapter.VMId)"
        if (-not $adapters.ContainsKey($vm)) { $adapters[$vm] = New-Object 'System.Collections.Generic.List[object]' }
        $adapters[$vm].Add((ConvertTo-AdapterState -Adapter $adapter))
    }
    $vms = @(foreach ($vm in @(Get-VM @Node)) {
            $note = ConvertFrom-Note -Note (Get-Value $vm 'Notes' '')
            [pscustomobject]@{
                Id = "$($vm.Id)"; Name = $vm.Name; State = "$($vm.State)"; Marks = $note.Marks
                MarkError = $note.Error
                Adapters = @(if ($adapters.ContainsKey("$($vm.Id)")) { $adapters["$($vm.Id)"] })
            }
        })
    [pscustomobject]@{ ComputerName = $computer; Switches = $switches; VMs = $vms }
}

function ConvertTo-SwitchState {
    param($Switch, [hashtable] $Node)
    $note = ConvertFrom-Note -Note (Get-Value $Switch 'Notes' '')
    $extension = @(Get-VMSwitchExtension -VMSwitch $Switch | Where-Object { $_.Id -eq $script:CaptureExtensionId })
    $external = ''
    if ("$($Switch.SwitchType)" -eq 'External') {
        $feature = Get-ExternalFeature -SwitchName $Switch.Name -Node $Node
        $external = if ($feature) { "$($feature.SettingData.MonitorMode)" } else { 'absent' }
    }
    $capture = ''
    if ($extension.Count -gt 0) { $capture = if ($extension[0].Enabled) { 'Enabled' } else { 'Disabled' } }
    [pscustomobject]@{
        Id = "$($Switch.Id)"; Name = $Switch.Name; Type = "$($Switch.SwitchType)"
        Description = "$(Get-Value $Switch 'NetAdapterInterfaceDescription' '')"
        Iov = Get-Value $Switch 'IovEnabled'; Rsc = Get-Value $Switch 'SoftwareRscEnabled'
        Capture = $capture; External = $external; Marks = $note.Marks; MarkError = $note.Error
    }
}

function ConvertTo-AdapterState {
    param($Adapter)
    [pscustomobject]@{
        Id = "$($Adapter.Id)"; Name = $Adapter.Name
        SwitchId = if ($Adapter.SwitchName) { "$($Adapter.SwitchId)" } else { '' }
        SwitchName = "$($Adapter.SwitchName)"; Mac = "$($Adapter.MacAddress)"; Mode = "$($Adapter.PortMirroringMode)"
        IovWeight = [int](Get-Value $Adapter 'IovWeight' 0)
        Vlan = ConvertTo-VlanText (Get-Value $Adapter 'VlanSetting')
    }
}

# The external port's feature that holds the monitoring mode, or nothing.
function Get-ExternalFeature {
    param([string] $SwitchName, [hashtable] $Node)
    $ErrorActionPreference = 'Stop'
    Get-VMSwitchExtensionPortFeature -ExternalPort -SwitchName $SwitchName -FeatureId $script:SecurityFeatureId @Node |
        Select-Object -First 1
}

function Import-HyperVModule {
    $ErrorActionPreference = 'Stop'
    if (Get-Module -Name 'Hyper-V') { return }
    if (-not (Get-Module -Name 'Hyper-V' -ListAvailable)) {
        throw ('the PowerShell module Hyper-V is not installed here (Server: Install-WindowsFeature Hyper-V-PowerShell; ' +
            'Windows 10 and 11: Enable-WindowsOptionalFeature -Online ' +
            '-FeatureName Microsoft-Hyper-V-Management-PowerShell)')
    }
    Import-Module -Name 'Hyper-V' -Verbose:$false
}
