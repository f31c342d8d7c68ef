# Stand-in for Microsoft's module ScheduledTasks: tasks of the stand-in hosts, registered from XML, which must be a task.
Set-StrictMode -Version 3.0
Import-Module (Join-Path $PSScriptRoot '../StandIn/StandIn.psm1')

function Enter-TaskHost {
    param($Cmdlet, $CimSession, [switch] $Changes)
    Enter-StandIn $Cmdlet $(if ($CimSession) { $CimSession.ComputerName } else { '' }) -Changes:$Changes
}

function Write-TaskError {
    param($Cmdlet, [string] $Message, [string] $Id)
    $record = New-Object 'System.Management.Automation.ErrorRecord' (New-Object 'System.Exception' $Message), $Id, 'ObjectNotFound', $null
    $Cmdlet.WriteError($record)
}

function Get-ScheduledTask {
    [CmdletBinding()]
    param([Parameter(Position = 0)] [string[]] $TaskName, [Parameter(Position = 1)] [string[]] $TaskPath, $CimSession,
        [int] $ThrottleLimit, [switch] $AsJob)
    $computer = Enter-TaskHost $PSCmdlet $CimSession
    $found = @($computer.Tasks.Values | Where-Object {
            $task = $_
            (-not $TaskName -or @($TaskName | Where-Object { $task.TaskName -like $_ })) -and
            (-not $TaskPath -or @($TaskPath | Where-Object { $task.TaskPath -like $_ }))
        })
    if ($found.Count -eq 0) {
        $what, $value = if ($TaskName) { 'TaskName', $TaskName } else { 'TaskPath', $TaskPath }
        Write-TaskError $PSCmdlet ("No MSFT_ScheduledTask objects found with property '$what' equal to '$value'.  Verify the " +
            'value of the property and retry.') "CmdletizationQuery_NotFound_$what,Get-ScheduledTask"
    }
    foreach ($task in $found) { [pscustomobject]$task }
}

function Register-ScheduledTask {
    [CmdletBinding(DefaultParameterSetName = 'User', SupportsShouldProcess = $true)]
    param(
        [Parameter(Position = 0, ParameterSetName = 'User', Mandatory = $true)]
        [Parameter(Position = 0, ParameterSetName = 'Xml', Mandatory = $true)] [string] $TaskName,
        [Parameter(Position = 1)] [string] $TaskPath = '\',
        [Parameter(Position = 2, ParameterSetName = 'User', Mandatory = $true)] $Action,
        [Parameter(Position = 2, ParameterSetName = 'Xml', Mandatory = $true)] [string] $Xml,
        [string] $User, [string] $Password, [switch] $Force, $CimSession, [int] $ThrottleLimit, [switch] $AsJob)
    $computer = Enter-TaskHost $PSCmdlet $CimSession -Changes
    $key = "$TaskPath$TaskName"
    if ($computer.Tasks.Contains($key) -and -not $Force) {
        Write-TaskError $PSCmdlet 'Cannot create a file when that file already exists.' 'HRESULT 0x800700b7,Register-ScheduledTask'
        return
    }
    # The service takes UTF-16 text and refuses what is no task.
    $document = [xml]($Xml -replace '^<\?xml[^>]*\?>', '')
    if ($document.DocumentElement.NamespaceURI -ne 'http://schemas.microsoft.com/windows/2004/02/mit/task') {
        Write-TaskError $PSCmdlet 'The task XML contains an unexpected node.' 'HRESULT 0x80041316,Register-ScheduledTask'
        return
    }
    $computer.Tasks[$key] = @{
        PSTypeName = 'Microsoft.Management.Infrastructure.CimInstance#Root/Microsoft/Windows/TaskScheduler/MSFT_ScheduledTask'
        TaskName = $TaskName; TaskPath = $TaskPath; Description = $document.Task.RegistrationInfo.Description; Xml = $Xml
    }
    [pscustomobject]$computer.Tasks[$key]
}

function Unregister-ScheduledTask {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
    param([Parameter(Position = 0)] [string[]] $TaskName, [Parameter(Position = 1)] [string[]] $TaskPath, $CimSession,
        [int] $ThrottleLimit, [switch] $AsJob)
    if (-not $PSCmdlet.ShouldProcess("$TaskPath$TaskName", 'Delete')) { return }
    $computer = Enter-TaskHost $PSCmdlet $CimSession -Changes
    if (-not $computer.Tasks.Contains("$TaskPath$TaskName")) {
        Write-TaskError $PSCmdlet ("No MSFT_ScheduledTask objects found with property 'TaskName' equal to '$TaskName'.  Verify " +
            'the value of the property and retry.') 'CmdletizationQuery_NotFound_TaskName,Unregister-ScheduledTask'
        return
    }
    $computer.Tasks.Remove("$TaskPath$TaskName")
}
