# A state -> the VMirror.Host object. Pure.

function Get-SettingOwner {
    param($Setting)
    if ($null -eq $Setting) { return '' }
    if ($Setting.Mark -and -not (Test-SameValue $Setting.Kind $Setting.Mark.Was $Setting.Mark.Now)) { return 'vmirror' }
    if (Test-SameValue $Setting.Kind $Setting.Value $Setting.Default) { return '' }
    'foreign'
}

function ConvertTo-HostResult {
    param($State)
    $table = Get-SettingTable $State
    $sessions = @(Get-MarkedSession $State | ForEach-Object { $_.Name })
    $switches = @(foreach ($switch in $State.Switches) {
            $problems = @(
                if ($switch.Description -like 'Microsoft Network Adapter Multiplexor Driver*') {
                    'on an LBFO team, where mirroring is not supported'
                }
                if ($switch.MarkError) { "notes: $($switch.MarkError)" })
            New-TypedObject -Type 'Switch' -Property ([ordered]@{
                    Name = $switch.Name; Type = $switch.Type; Capture = $switch.Capture
                    CaptureOwner = Get-SettingOwner $table["switch|$($switch.Id)|capture|"]
                    External = $switch.External
                    ExternalOwner = Get-SettingOwner $table["switch|$($switch.Id)|external|"]
                    SoftwareRsc = Get-Value $switch 'Rsc'; Problem = $problems -join '; '; Id = $switch.Id
                })
        })
    $adapters = @(foreach ($vm in $State.VMs) {
            foreach ($adapter in $vm.Adapters) {
                $on = @($State.Switches | Where-Object { $_.Id -eq $adapter.SwitchId })
                $problem = ''
                if ($vm.MarkError) { $problem = "notes: $($vm.MarkError)" }
                elseif ($on.Count -eq 0) { $problem = 'not connected to a virtual switch (connect it)' }
                else { $problem = Get-SourceProblem $vm $adapter $on[0] '' }
                New-TypedObject -Type 'Adapter' -Property ([ordered]@{
                        VMName = $vm.Name; Name = $adapter.Name; SwitchName = $adapter.SwitchName; MacAddress = $adapter.Mac
                        Mirroring = $adapter.Mode; Owner = Get-SettingOwner $table["vm|$($vm.Id)|mode|$($adapter.Id)"]
                        Vlan = $adapter.Vlan; IovWeight = $adapter.IovWeight; Problem = $problem; Id = $adapter.Id
                    })
            }
        })
    New-TypedObject -Type 'Host' -Property ([ordered]@{
            ComputerName = $State.ComputerName; VMs = @($State.VMs).Count
            Mirrored = @($adapters | Where-Object { $_.Mirroring -eq 'Source' }).Count
            Monitors = @($adapters | Where-Object { $_.Mirroring -eq 'Destination' }).Count
            Sessions = [string[]]$sessions; Switches = $switches; Adapters = $adapters
        })
}
