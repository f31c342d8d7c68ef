# Stand-in for CimCmdlets, and for Get-WinEvent, which PowerShell on Linux lacks, too.
Set-StrictMode -Version 3.0
Import-Module (Join-Path $PSScriptRoot '../StandIn/StandIn.psm1')

function New-CimSession {
    [CmdletBinding()]
    param([Parameter(Position = 0)] [string[]] $ComputerName, [pscredential] $Credential, [string] $Name, $SessionOption)
    $null = Enter-StandIn $PSCmdlet "$ComputerName"
    [pscustomobject]@{ PSTypeName = 'Microsoft.Management.Infrastructure.CimSession'; ComputerName = "$ComputerName" }
}

function Remove-CimSession {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([Parameter(Mandatory = $true, Position = 0, ValueFromPipeline = $true)] $CimSession)
    $null = $CimSession.ComputerName
}

# Counters of virtual network adapters, as running totals. Each reading comes after one more round of the host's
# Traffic (MAC -> frames). A monitor adapter counts copies by the switch's rules alone.
function Get-CimInstance {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true, Position = 0)] [string] $ClassName, [string] $Namespace = 'root/cimv2',
        [string] $Filter, $CimSession, [string[]] $ComputerName)
    $computer = Enter-StandIn $PSCmdlet $(if ($CimSession) { $CimSession.ComputerName } else { "$ComputerName" })
    if ($ClassName -ne 'Win32_PerfRawData_NvspNicStats_HyperVVirtualNetworkAdapter') { throw "Invalid class $ClassName" }
    $rounds = [int]$computer['Rounds']
    $computer['Rounds'] = $rounds + 1
    foreach ($vm in $computer.VMs) {
        foreach ($adapter in $vm.Adapters) {
            $frames = @(if ($computer.Traffic.Contains($adapter.Mac)) { $computer.Traffic[$adapter.Mac] })
            $own = @($frames | Where-Object { $_ })
            $copies = 0
            if ($adapter.Mode -eq 'Destination') {
                foreach ($other in $computer.VMs) {
                    foreach ($source in $other.Adapters) {
                        if ($source.Mode -eq 'Source' -and $source.Switch -eq $adapter.Switch -and $source.IovWeight -eq 0 -and
                            $computer.Traffic.Contains($source.Mac) -and -not $computer['CopiesStop']) {
                            $copies += @($computer.Traffic[$source.Mac]).Count
                        }
                    }
                }
            }
            [pscustomobject]@{
                Name = "$($vm.Name)_$($adapter.Name)_$(($adapter.Id -replace '^Microsoft:', '') -replace '\\', '--')"
                PacketsReceivedPersec = [uint64](1000 + $rounds * ([Math]::Ceiling($own.Count / 2) + $copies))
                PacketsSentPersec = [uint64](500 + $rounds * [Math]::Floor($own.Count / 2))
                DroppedPacketsIncomingPersec = [uint64]0; DroppedPacketsOutgoingPersec = [uint64]0
            }
        }
    }
}

# Events: of a log by their record, or of a capture's file.
function Get-WinEvent {
    [CmdletBinding(DefaultParameterSetName = 'GetLogSet')]
    param(
        [Parameter(ParameterSetName = 'GetLogSet', Mandatory = $true, Position = 0)] [string[]] $LogName,
        [Parameter(ParameterSetName = 'FileSet', Mandatory = $true, Position = 0)] [string[]] $Path,
        [string] $FilterXPath = '*', [switch] $Oldest, [long] $MaxEvents,
        [Parameter(ParameterSetName = 'GetLogSet')] [string] $ComputerName)
    $world = Get-StandInWorld
    $events = if ($Path) { Import-Clixml -LiteralPath $Path[0] } else {
        @($world['Events'] | Where-Object { $_ -and $FilterXPath -eq "*[System[EventRecordID=$($_.RecordId)]]" })
    }
    if (@($events).Count -eq 0) {
        $text = 'No events were found that match the specified selection criteria.'
        $record = New-Object 'System.Management.Automation.ErrorRecord' (New-Object 'System.Exception' $text),
        'NoMatchingEventsFound,Microsoft.PowerShell.Commands.GetWinEventCommand', 'ObjectNotFound', $null
        $PSCmdlet.WriteError($record)
    }
    $events
}
