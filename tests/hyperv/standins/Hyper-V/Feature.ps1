# Features of the external port: one security instance, which also holds the monitoring mode.

$script:SecurityFeature = [guid]'776e0ba7-94a1-41c8-8f28-951f524251b5'

function New-SecurityDefault {
    @{
        AllowMacSpoofing = $false; EnableDhcpGuard = $false; EnableRouterGuard = $false; AllowIeeePriorityTag = $false
        AllowTeaming = $false; MonitorMode = [byte]0; MonitorSession = [byte]0; VirtualSubnetId = [uint32]0
        TeamNumber = [uint32]0; TeamName = ''; DynamicIPAddressLimit = [uint32]0; StormLimit = [uint32]0
        EnableFixSpeed10G = $false
    }
}

function New-FeatureObject {
    param([hashtable] $Setting)
    [pscustomobject]@{
        PSTypeName = 'Microsoft.HyperV.PowerShell.VMSwitchExtensionPortFeature'
        Id = $script:SecurityFeature; Name = 'Ethernet-Switchport-Sicherheitseinstellungen'
        SettingData = [pscustomobject]$Setting.Clone()
    }
}

function ConvertFrom-FeatureObject {
    param($Feature)
    $setting = @{}
    foreach ($property in $Feature.SettingData.PSObject.Properties) { $setting[$property.Name] = $property.Value }
    $setting
}

function Get-VMSystemSwitchExtensionPortFeature {
    [CmdletBinding()]
    param([string[]] $FeatureName = '*', [guid[]] $FeatureId, [string[]] $ExtensionName, [string[]] $ComputerName,
        [pscredential[]] $Credential)
    $null = Enter-StandIn $PSCmdlet "$ComputerName"
    if ($FeatureId -and $FeatureId -notcontains $script:SecurityFeature) { return }
    New-FeatureObject (New-SecurityDefault)
}

function Get-VMSwitchExtensionPortFeature {
    [CmdletBinding(DefaultParameterSetName = 'VMName')]
    param(
        [Parameter(ParameterSetName = 'VMName', Mandatory = $true, Position = 0)] [string[]] $VMName,
        [Parameter(ParameterSetName = 'ExternalPort', Mandatory = $true)] [switch] $ExternalPort,
        [Parameter(ParameterSetName = 'ExternalPort')] [string] $SwitchName,
        [string[]] $FeatureName = '*', [guid[]] $FeatureId, [string[]] $ComputerName, [pscredential[]] $Credential)
    $computer = Enter-StandIn $PSCmdlet "$ComputerName"
    $switch = Find-Switch $PSCmdlet $computer $SwitchName $null
    if ($switch -and $switch.Feature -and (-not $FeatureId -or $FeatureId -contains $script:SecurityFeature)) {
        New-FeatureObject $switch.Feature
    }
}

function Add-VMSwitchExtensionPortFeature {
    [CmdletBinding(SupportsShouldProcess = $true, DefaultParameterSetName = 'VMName')]
    param(
        [Parameter(ParameterSetName = 'VMName', Mandatory = $true, Position = 0)] [string[]] $VMName,
        [Parameter(ParameterSetName = 'ExternalPort', Mandatory = $true)] [switch] $ExternalPort,
        [Parameter(ParameterSetName = 'ExternalPort', Mandatory = $true, Position = 0)] [string] $SwitchName,
        [Parameter(Mandatory = $true, ValueFromPipeline = $true)]
        [PSTypeName('Microsoft.HyperV.PowerShell.VMSwitchExtensionPortFeature')] $VMSwitchExtensionFeature,
        [string[]] $ComputerName, [pscredential[]] $Credential, [switch] $Passthru)
    if (-not $PSCmdlet.ShouldProcess($SwitchName, 'Add-VMSwitchExtensionPortFeature')) { return }
    $computer = Enter-StandIn $PSCmdlet "$ComputerName" -Changes -Text "MonitorMode $($VMSwitchExtensionFeature.SettingData.MonitorMode)"
    $switch = Find-Switch $PSCmdlet $computer $SwitchName $null
    if (-not $switch) { return }
    if ($switch.SwitchType -ne 'External' -or $switch.Feature) {
        Write-StandInError $PSCmdlet 'OperationFailed' 'NotSpecified' 'Failed to add the feature setting to the port.'
        return
    }
    $switch.Feature = ConvertFrom-FeatureObject $VMSwitchExtensionFeature
}

function Set-VMSwitchExtensionPortFeature {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param(
        [Parameter(Mandatory = $true, ValueFromPipeline = $true)]
        [PSTypeName('Microsoft.HyperV.PowerShell.VMSwitchExtensionPortFeature')] $VMSwitchExtensionFeature,
        [switch] $ExternalPort, [string] $SwitchName, [string[]] $VMName, [string] $VMNetworkAdapterName,
        [switch] $ManagementOS, [string[]] $ComputerName, [pscredential[]] $Credential, [switch] $Passthru)
    if (-not $PSCmdlet.ShouldProcess($SwitchName, 'Set-VMSwitchExtensionPortFeature')) { return }
    $computer = Enter-StandIn $PSCmdlet "$ComputerName" -Changes -Text "MonitorMode $($VMSwitchExtensionFeature.SettingData.MonitorMode)"
    $switch = Find-Switch $PSCmdlet $computer $SwitchName $null
    if ($switch -and -not $switch.Feature) {
        Write-StandInError $PSCmdlet 'ObjectNotFound' 'ObjectNotFound' 'The feature setting was not found on the port.'
        return
    }
    $switch.Feature = ConvertFrom-FeatureObject $VMSwitchExtensionFeature
}

function Remove-VMSwitchExtensionPortFeature {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param(
        [Parameter(Mandatory = $true, ValueFromPipeline = $true)]
        [PSTypeName('Microsoft.HyperV.PowerShell.VMSwitchExtensionPortFeature')] $VMSwitchExtensionFeature,
        [switch] $ExternalPort, [string] $SwitchName, [string[]] $VMName, [string] $VMNetworkAdapterName,
        [switch] $ManagementOS, [string[]] $ComputerName, [pscredential[]] $Credential, [switch] $Passthru)
    if (-not $PSCmdlet.ShouldProcess($SwitchName, 'Remove-VMSwitchExtensionPortFeature')) { return }
    $computer = Enter-StandIn $PSCmdlet "$ComputerName" -Changes
    $switch = Find-Switch $PSCmdlet $computer $SwitchName $null
    if ($switch) { $switch.Feature = $null }
}
