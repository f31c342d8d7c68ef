@{
    RootModule        = 'ScheduledTasks.psm1'
    ModuleVersion     = '1.0.0.0'
    GUID              = '5378ee8e-e349-49bb-83b9-f3d9c396c0a6'
    Author            = 'stand-in'
    FunctionsToExport = @('Get-ScheduledTask', 'Register-ScheduledTask', 'Unregister-ScheduledTask')
    CmdletsToExport   = @()
    AliasesToExport   = @()
}
