@{
    RootModule           = 'VMirror.psm1'
    ModuleVersion        = '0.1.0'
    GUID                 = '5b9d3f0a-6c1e-4a7e-9a52-2f6f0c7d8e11'
    Author               = 'The vmirror project'
    CompanyName          = 'The vmirror project'
    Copyright            = 'The vmirror project'
    Description          = 'Mirrors the traffic of virtual machines to a sensor on Hyper-V virtual switches.'
    PowerShellVersion    = '5.1'
    CompatiblePSEditions = @('Desktop', 'Core')
    FormatsToProcess     = @('VMirror.Format.ps1xml')
    FunctionsToExport    = @(
        'Get-VMirrorHost', 'Get-VMirrorSession', 'Set-VMirrorSession', 'Test-VMirrorSession', 'Remove-VMirrorSession',
        'Sync-VMirror', 'Install-VMirrorHook', 'Uninstall-VMirrorHook', 'Test-VMirror',
        'Get-VMirrorAffinity', 'Set-VMirrorAffinity', 'Remove-VMirrorAffinity')
    CmdletsToExport      = @()
    VariablesToExport    = @()
    AliasesToExport      = @()
    PrivateData          = @{ PSData = @{ Tags = @('Hyper-V', 'PortMirroring', 'SPAN', 'Sensor', 'Cluster') } }
}
