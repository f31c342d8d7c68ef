# Loads the module: Private holds pure functions (values in, values out) and the edges that call Windows;
# Public holds the commands. Everything here loads in Windows PowerShell 5.1 and in PowerShell 7.
Set-StrictMode -Version 3.0

foreach ($folder in 'Private', 'Public') {
    foreach ($file in Get-ChildItem -Path (Join-Path $PSScriptRoot $folder) -Filter '*.ps1') {
        . $file.FullName
    }
}

# The ids of Hyper-V's parts. Their display names are translated, so nothing is matched by name.
$script:CaptureExtensionId = 'EA24CD6C-D17A-4348-9190-09F0D5BE83DD'  # The extension "Microsoft NDIS Capture".
$script:SecurityFeatureId = '776E0BA7-94A1-41C8-8F28-951F524251B5'   # "Ethernet Switch Port Security Settings".

# A bound for each list that a document or a note can make long. Past it the command refuses, by name.
$script:Limit = @{
    DocumentBytes = 4194304   # Bytes of a document of sessions.
    Sessions      = 4096      # Sessions of one document.
    MarkChars     = 65536     # Characters of the mark in one VM's or switch's notes.
    Frames        = 200000    # Frames of a capture that Test-VMirror reads.
}

Export-ModuleMember -Function @(
    'Get-VMirrorHost', 'Get-VMirrorSession', 'Set-VMirrorSession', 'Test-VMirrorSession', 'Remove-VMirrorSession',
    'Sync-VMirror', 'Install-VMirrorHook', 'Uninstall-VMirrorHook', 'Test-VMirror',
    'Get-VMirrorAffinity', 'Set-VMirrorAffinity', 'Remove-VMirrorAffinity')
