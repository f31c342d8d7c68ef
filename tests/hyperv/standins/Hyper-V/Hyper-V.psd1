@{
    RootModule        = 'Hyper-V.psm1'
    ModuleVersion     = '2.0.0.0'
    GUID              = 'af4bddd0-8583-4ff2-84b2-a33f5c8de8a7'
    Author            = 'stand-in'
    FunctionsToExport = @(
        'Get-VMHost', 'Get-VM', 'Set-VM', 'Get-VMSwitch', 'New-VMSwitch', 'Set-VMSwitch', 'Remove-VMSwitch',
        'Get-VMNetworkAdapter', 'Add-VMNetworkAdapter', 'Set-VMNetworkAdapter', 'Remove-VMNetworkAdapter',
        'Get-VMNetworkAdapterVlan', 'Set-VMNetworkAdapterVlan',
        'Get-VMSwitchExtension', 'Enable-VMSwitchExtension', 'Disable-VMSwitchExtension',
        'Get-VMSystemSwitchExtensionPortFeature', 'Get-VMSwitchExtensionPortFeature', 'Add-VMSwitchExtensionPortFeature',
        'Set-VMSwitchExtensionPortFeature', 'Remove-VMSwitchExtensionPortFeature')
    CmdletsToExport   = @()
    AliasesToExport   = @()
}
