# The hook: a scheduled task on the events of live migrations. Pure parts first.

$script:HookName = 'vmirror-hook'
$script:HookPath = '\vmirror\'
$script:HookLog = 'Microsoft-Windows-Hyper-V-VMMS-Admin'
$script:HookEvents = 20415, 20417, 20418  # Live migration completed; with a long blackout.
$script:HookMark = '[vmirror hook '

# The task as XML: only this form has ValueQueries, which hand the event's record to the action. No text of an
# event reaches the command line: a VM's name may hold anything.
function New-HookXml {
    param([string] $ModulePath, [System.Collections.IDictionary] $Argument, [int] $DelaySec)
    $words = @('-NoProfile', '-NonInteractive', '-ExecutionPolicy', 'RemoteSigned', '-File',
        "`"$ModulePath\Hook\Send-VMirrorEvent.ps1`"", '-RecordId', '$(RecordId)')
    foreach ($name in @($Argument.Keys | Sort-Object)) {
        if ("$($Argument[$name])" -match '["\r\n]') { throw "-$($name): it must not contain quotes" }
        if ($Argument[$name]) { $words += @("-$name", "`"$($Argument[$name])`"") }
    }
    if ($ModulePath -match '["\r\n]') { throw '-ModulePath: it must not contain quotes' }
    $events = @($script:HookEvents | ForEach-Object { "EventID=$_" }) -join ' or '
    $query = "<QueryList><Query Id=`"0`" Path=`"$script:HookLog`"><Select Path=`"$script:HookLog`">" +
    "*[System[($events)]]</Select></Query></QueryList>"
    $escape = { param($Text) [System.Security.SecurityElement]::Escape($Text) }
    $body = @"
  <Triggers>
    <EventTrigger>
      <Enabled>true</Enabled>
      <Subscription>$(& $escape $query)</Subscription>
      <Delay>PT$($DelaySec)S</Delay>
      <ValueQueries><Value name="RecordId">Event/System/EventRecordID</Value></ValueQueries>
    </EventTrigger>
  </Triggers>
  <Principals><Principal id="Author"><UserId>S-1-5-18</UserId><RunLevel>HighestAvailable</RunLevel></Principal></Principals>
  <Settings>
    <MultipleInstancesPolicy>Queue</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT10M</ExecutionTimeLimit>
    <Enabled>true</Enabled>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>%SystemRoot%\System32\WindowsPowerShell\v1.0\powershell.exe</Command>
      <Arguments>$(& $escape ($words -join ' '))</Arguments>
    </Exec>
  </Actions>
"@
    $hash = [System.Security.Cryptography.SHA256]::Create()
    try { $digest = $hash.ComputeHash([System.Text.Encoding]::UTF8.GetBytes($body)) } finally { $hash.Dispose() }
    $mark = "$script:HookMark$([BitConverter]::ToString($digest, 0, 8).Replace('-', '').ToLowerInvariant())]"
    $description = "Tells of live migrations and syncs mirroring sessions after them. $mark"
    [pscustomobject]@{
        Description = $description
        Xml         = @"
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Author>vmirror</Author><Description>$(& $escape $description)</Description></RegistrationInfo>
$body
</Task>
"@
    }
}

# What is to be done about the task that is there: install, replace, nothing, refuse.
function Get-HookDecision {
    param([AllowNull()] $Description, [string] $Wanted)
    if ($null -eq $Description) { return 'install' }
    if ("$Description".IndexOf($script:HookMark, [StringComparison]::Ordinal) -lt 0) { return 'refuse' }
    if ($Description -eq $Wanted) { return 'nothing' }
    'replace'
}

function New-HookResult {
    param([string] $ComputerName, [string] $State, [string] $Reason = '')
    New-TypedObject -Type 'Hook' -Property ([ordered]@{
            ComputerName = $ComputerName; State = $State; Reason = $Reason; Task = "$script:HookPath$script:HookName"
        })
}

# ---- Edges ----

# Calls $Do with the arguments that name the host for CIM commands: none here, a session elsewhere.
function Invoke-WithCim {
    param([hashtable] $Node, [scriptblock] $Do)
    $ErrorActionPreference = 'Stop'
    if ($Node.Count -eq 0) { return & $Do @{} }
    $session = New-CimSession @Node
    try { & $Do @{ CimSession = $session } } finally { Remove-CimSession -CimSession $session }
}

# The task's description, @{ There = false } where there is none.
function Get-NodeHook {
    param([hashtable] $Node)
    $ErrorActionPreference = 'Stop'
    Invoke-WithCim -Node $Node -Do {
        param($Cim)
        # By all tasks of the folder: asking for one that is not there is an error in the machine's language.
        $task = @(Get-ScheduledTask -TaskPath "$script:HookPath*" @Cim -ErrorAction SilentlyContinue |
                Where-Object { $_.TaskName -eq $script:HookName -and $_.TaskPath -eq $script:HookPath })
        if ($task.Count -eq 0) { return [pscustomobject]@{ There = $false; Description = $null } }
        [pscustomobject]@{ There = $true; Description = "$(Get-Value $task[0] 'Description' '')" }
    }
}

function Set-NodeHook {
    param([hashtable] $Node, [string] $Xml)
    $ErrorActionPreference = 'Stop'
    $ConfirmPreference = 'None'
    Invoke-WithCim -Node $Node -Do {
        param($Cim)
        $null = Register-ScheduledTask -TaskName $script:HookName -TaskPath $script:HookPath -Xml $Xml -Force @Cim
    }
}

function Remove-NodeHook {
    param([hashtable] $Node)
    $ErrorActionPreference = 'Stop'
    Invoke-WithCim -Node $Node -Do {
        param($Cim)
        Unregister-ScheduledTask -TaskName $script:HookName -TaskPath $script:HookPath -Confirm:$false @Cim
    }
}

# The event by its record: VM's name, VM's id.
function Get-HookEvent {
    param([long] $RecordId)
    $ErrorActionPreference = 'Stop'
    $found = Get-WinEvent -LogName $script:HookLog -FilterXPath "*[System[EventRecordID=$RecordId]]" | Select-Object -First 1
    $values = @($found.Properties | ForEach-Object { "$($_.Value)" })
    [ordered]@{
        vmirror = 1; event = 'migrated'; host = [Environment]::MachineName; eventId = [int]$found.Id
        time = $found.TimeCreated.ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ss.fffZ')
        vm = $(if ($values.Count -gt 0) { $values[0] } else { '' })
        vmId = $(if ($values.Count -gt 1) { $values[1] } else { '' })
    }
}

function Get-MachineCertificate {
    param([string] $Thumbprint)
    $ErrorActionPreference = 'Stop'
    Get-Item -LiteralPath "Cert:\LocalMachine\My\$(ConvertTo-Thumbprint $Thumbprint)"
}

# What the task does. Returns the problems, as texts; telling and syncing don't wait for each other's success.
function Invoke-Hook {
    param([long] $RecordId, [string] $NotifyUri = '', [string] $SyncUri = '', [string] $SyncPath = '',
        [string] $CertificateThumbprint = '', [string] $ClientCertificateThumbprint = '')
    $web = @{}
    try { if ($ClientCertificateThumbprint) { $web.Certificate = Get-MachineCertificate $ClientCertificateThumbprint } }
    catch { "client certificate: $($_.Exception.Message)" }
    if ($NotifyUri) {
        try {
            $body = Get-HookEvent -RecordId $RecordId | ConvertTo-Json -Compress
            $null = Invoke-AgentRequest -Uri $NotifyUri -Thumbprint $CertificateThumbprint -Body $body @web
        } catch { "telling of event record $($RecordId): $($_.Exception.Message)" }
    }
    $from = @{}
    if ($SyncUri) { $from = @{ Uri = $SyncUri; CertificateThumbprint = $CertificateThumbprint } + $web }
    elseif ($SyncPath) { $from = @{ Path = $SyncPath } }
    if ($from.Count -gt 0) {
        try {
            $sessions = @(Sync-VMirror @from -ErrorVariable problems -ErrorAction SilentlyContinue -Confirm:$false)
            foreach ($problem in $problems) { if ("$($problem.FullyQualifiedErrorId)" -like 'VMirror.*') { "sync: $problem" } }
            foreach ($session in $sessions) {
                # A VM of another host is no problem of this one.
                if ($session.State -eq 'failed') { "session $($session.Name): $($session.Reason)" }
            }
        } catch { "sync: $($_.Exception.Message)" }
    }
}
