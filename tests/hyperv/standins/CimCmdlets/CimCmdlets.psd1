@{
    RootModule        = 'CimCmdlets.psm1'
    ModuleVersion     = '7.0.0.0'
    GUID              = 'fb6cc51d-c096-4b38-b78d-0fed6277096a'
    Author            = 'stand-in'
    FunctionsToExport = @('New-CimSession', 'Remove-CimSession', 'Get-CimInstance', 'Get-WinEvent')
    CmdletsToExport   = @()
    AliasesToExport   = @()
}
