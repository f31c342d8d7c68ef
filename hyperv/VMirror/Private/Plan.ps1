# The steps between what is and what is asked for. Pure: a state and sessions in, steps out.
#
# Step: Setting, To (the value after it), Undo, Create, Mark (the entry that goes with it; it is written before
#       the change and, of an undo, removed after it), Sessions, Text (for a person), Rank (the order).

function New-Step {
    param($Setting, [string] $To, $Mark, [bool] $Undo, [string[]] $Sessions, $Create = $null)
    $change = -not (Test-SameValue $Setting.Kind $Setting.Value $To)
    $label = Get-SettingLabel $Setting
    $text = if ($change) { "${label}: $($Setting.Value) -> $To" }
    elseif ($Undo) { "${label}: stays '$($Setting.Value)', take our mark off" }
    else { "${label}: is '$($Setting.Value)' already, note who needs it" }
    $rank = [array]::IndexOf($script:SettingOrder, $Setting.Kind)
    if ($Undo) { $rank = -1 - $rank }  # Undone first, and in the reverse order.
    [pscustomobject]@{
        Setting = $Setting; To = $To; Change = $change; Undo = $Undo; Create = $Create; Mark = $Mark
        Sessions = $Sessions; Text = $text; Rank = $rank
    }
}

# The first session that wants a setting decides its value, and before it those that this run leaves alone
# ($IsKept); one that contradicts them is refused.
# Returns Key -> @{ Setting; Value; For; Create }; changes the resolutions that it refuses.
function Join-Want {
    param([object[]] $Resolution, [scriptblock] $IsKept)
    $joined = [ordered]@{}
    foreach ($one in $Resolution) {
        foreach ($want in $one.Wants) {
            $other = $joined[$want.Setting.Key]
            $value = if ($other) { $other.Value } else { $want.Value }
            $for = @(if ($other) { $other.For })
            $mark = $want.Setting.Mark
            if ($mark -and -not (Test-SameValue $mark.Kind $mark.Now $want.Value)) {
                $kept = @($mark.For | Where-Object { & $IsKept $_ })
                if ($kept.Count -gt 0) {
                    $value = $mark.Now
                    $for = $kept
                }
            }
            if ($value -ne $want.Value) {
                $one.State = 'refused'
                $one.Reason = "session $($for[0].Split('/')[1]) needs '$value' of " +
                    "$(Get-SettingLabel $want.Setting), this one '$($want.Value)' (another monitor adapter)"
                break
            }
        }
        if ($one.State -eq 'refused') { continue }
        foreach ($want in $one.Wants) {
            $key = $want.Setting.Key
            if (-not $joined.Contains($key)) {
                $joined[$key] = @{ Setting = $want.Setting; Value = $want.Value; Create = $want.Create; For = @() }
            }
            $joined[$key].For = @(@($joined[$key].For) + $one.Session.Key | Select-Object -Unique)
        }
    }
    $joined
}

# A wanted setting -> its step, or nothing where all is as it should be. $Kept: sessions out of this run's scope
# that the mark names.
function Get-WantStep {
    param($Want, [string[]] $Kept)
    $setting = $Want.Setting
    $mark = $setting.Mark
    $for = @(@($Kept) + $Want.For | Where-Object { $_ } | Sort-Object -Unique)
    $same = Test-SameValue $setting.Kind $setting.Value $Want.Value
    # What it goes back to: what the mark says while it still holds, else what is there now.
    $was = $setting.Value
    if ($mark -and ($same -or (Test-SameValue $setting.Kind $setting.Value $mark.Was) -or
            (Test-SameValue $setting.Kind $setting.Value $mark.Now))) { $was = $mark.Was }
    $new = New-Mark -Kind $setting.Kind -On $setting.On -Was $was -Now $Want.Value -For $for
    if ($same -and $mark -and $mark.Now -eq $new.Now -and $mark.Was -eq $new.Was -and
        ($mark.For -join ' ') -eq ($new.For -join ' ')) { return }
    New-Step -Setting $setting -To $Want.Value -Mark $new -Undo $false -Sessions $Want.For -Create $Want.Create
}

# A marked setting that sessions of the scope no longer need -> its step.
function Get-DropStep {
    param($Setting, [string[]] $Kept, [string[]] $Dropped)
    $mark = $Setting.Mark
    if ($Kept.Count -gt 0) {
        $new = New-Mark -Kind $mark.Kind -On $mark.On -Was $mark.Was -Now $mark.Now -For $Kept
        $step = New-Step -Setting $Setting -To $Setting.Value -Mark $new -Undo $false -Sessions $Dropped
        $step.Text = "$(Get-SettingLabel $Setting): stays '$($Setting.Value)', $($Kept.Count) other session(s) need it"
        return $step
    }
    # Only what is still as we left it is ours to undo.
    $to = $Setting.Value
    if ((Test-SameValue $Setting.Kind $Setting.Value $mark.Now) -and
        -not (Test-SameValue $Setting.Kind $mark.Was $mark.Now)) { $to = $mark.Was }
    New-Step -Setting $Setting -To $to -Mark $mark -Undo $true -Sessions $Dropped
}

# Adapters that would lose their switch with it: those which this plan does not remove itself. Names.
function Get-SwitchUser {
    param($State, $Setting, [object[]] $Steps)
    $removed = @($Steps | Where-Object { $_.Undo -and $_.Change -and $_.Setting.Kind -eq 'adapter' } |
            ForEach-Object { "$($_.Setting.HolderId)|$($_.Setting.On)" })
    foreach ($vm in $State.VMs) {
        foreach ($adapter in $vm.Adapters) {
            if ($adapter.SwitchId -eq $Setting.HolderId -and $removed -notcontains "$($vm.Id)|$($adapter.Name)") {
                "$($vm.Name)/$($adapter.Name)"
            }
        }
    }
}

# $Sessions: what is asked for. $InScope: a session's key -> whether it is this run's business; a session in
# scope that is not asked for is removed. Of a refused session everything stays as it is.
function New-Plan {
    param($State, [object[]] $Sessions = @(), [scriptblock] $InScope, [bool] $Alone = $true)
    $table = Get-SettingTable $State
    $resolutions = @(foreach ($session in @($Sessions | Sort-Object -Property Name)) {
            Resolve-Session -State $State -Table $table -Session $session -Alone $Alone
        })
    $isKept = { param($Key) $refused -contains $Key -or -not (& $InScope $Key) }
    $refused = @($resolutions | Where-Object { $_.State -eq 'refused' } | ForEach-Object { $_.Session.Key })
    $wanted = Join-Want @($resolutions | Where-Object { $_.State -in 'wanted', 'standby' }) $isKept
    $refused = @($resolutions | Where-Object { $_.State -eq 'refused' } | ForEach-Object { $_.Session.Key })
    $steps = @(
        foreach ($want in $wanted.Values) {
            $kept = @()
            if ($want.Setting.Mark) {
                $kept = @($want.Setting.Mark.For | Where-Object { & $isKept $_ })
            }
            Get-WantStep $want $kept
        }
        foreach ($setting in $table.Values) {
            if ($null -eq $setting.Mark -or $wanted.Contains($setting.Key)) { continue }
            $kept = @($setting.Mark.For | Where-Object { & $isKept $_ })
            $dropped = @($setting.Mark.For | Where-Object { $kept -notcontains $_ })
            if ($dropped.Count -gt 0) { Get-DropStep $setting $kept $dropped }
        })

    $left = @($table.Values | Where-Object { $_.Mark -and $_.Value -ne 'absent' -and
            -not (Test-SameValue $_.Kind $_.Value $_.Mark.Now) -and -not (Test-SameValue $_.Kind $_.Value $_.Mark.Was) } |
            ForEach-Object { "$(Get-SettingLabel $_) is '$($_.Value)': somebody changed it, it is left as it is" })
    # A switch that we made stays while somebody else's adapter is on it; so does its mark.
    $steps = @(foreach ($step in $steps) {
            $users = @(if ($step.Undo -and $step.Change -and $step.Setting.Kind -eq 'switch') {
                    Get-SwitchUser $State $step.Setting $steps
                })
            if ($users.Count -eq 0) { $step; continue }
            $left += "switch $($step.Setting.HolderName) is ours and stays: $($users -join ', ') is on it"
        })
    [pscustomobject]@{
        ComputerName = $State.ComputerName
        Resolutions  = $resolutions
        # Sort-Object of 5.1 is not stable: the place in the list decides among equals.
        Steps        = @(for ($i = 0; $i -lt $steps.Count; $i++) { @{ Step = $steps[$i]; Place = $i } }) |
            Sort-Object -Property { $_.Step.Rank }, { $_.Place } | ForEach-Object { $_.Step }
        Left         = $left
    }
}

# What the settings say of a session after the run: ready, standby, failed, refused, elsewhere.
function Get-SessionVerdict {
    param($Resolution)
    if ($Resolution.State -ne 'wanted' -and $Resolution.State -ne 'standby') {
        return @{ State = $Resolution.State; Reason = $Resolution.Reason }
    }
    $open = @($Resolution.Wants | Where-Object { -not (Test-SameValue $_.Setting.Kind $_.Setting.Value $_.Value) } |
            ForEach-Object { "$(Get-SettingLabel $_.Setting) is '$($_.Setting.Value)', not '$($_.Value)'" })
    if ($open.Count -gt 0) { return @{ State = 'failed'; Reason = $open -join '; ' } }
    if ($Resolution.State -eq 'standby') { return @{ State = 'standby'; Reason = $Resolution.Reason } }
    @{ State = 'ready'; Reason = 'every setting is as asked; Test-VMirror proves that copies flow' }
}
