@{
    RootModule        = 'NetEventPacketCapture.psm1'
    ModuleVersion     = '1.0.0.0'
    GUID              = '7e984f2f-35da-48a2-a3c1-40ce59930a7c'
    Author            = 'stand-in'
    FunctionsToExport = @('New-NetEventSession', 'Get-NetEventSession', 'Start-NetEventSession', 'Stop-NetEventSession',
        'Remove-NetEventSession', 'Add-NetEventPacketCaptureProvider')
    CmdletsToExport   = @()
    AliasesToExport   = @()
}
