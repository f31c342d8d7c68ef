@{
    RootModule        = 'FailoverClusters.psm1'
    ModuleVersion     = '2.0.0.0'
    GUID              = '7bd8d0de-8a34-4ccb-a0c6-7ad4c0d3d6f1'
    Author            = 'stand-in'
    FunctionsToExport = @('Get-ClusterNode', 'Get-ClusterGroup', 'Get-ClusterAffinityRule', 'New-ClusterAffinityRule',
        'Set-ClusterAffinityRule', 'Remove-ClusterAffinityRule', 'Add-ClusterGroupToAffinityRule',
        'Remove-ClusterGroupFromAffinityRule')
    CmdletsToExport   = @()
    AliasesToExport   = @()
}
