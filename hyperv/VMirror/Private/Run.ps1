# The one loop of every command that changes something: observe all hosts, plan, ask, apply, look again.

# $Cmdlet: the public command's $PSCmdlet, which asks (-WhatIf, -Confirm) and reports errors.
# $Scope: see New-Plan. Returns the VMirror.Session objects.
function Invoke-Change {
    param($Cmdlet, [object[]] $Node, [object[]] $Sessions = @(), [scriptblock] $Scope, [bool] $Alone,
        [int] $ThrottleLimit = 16, [string] $Where = '')
    $pool = $null
    if ($Node.Count -gt 1) { $pool = New-NodePool -Size ([Math]::Min($ThrottleLimit, $Node.Count)) }
    try { Invoke-ChangeRound -Cmdlet $Cmdlet -Node $Node -Sessions $Sessions -Scope $Scope -Alone $Alone -Pool $pool -Where $Where }
    finally { Close-NodePool $pool }
}

function Invoke-ChangeRound {
    param($Cmdlet, [object[]] $Node, [object[]] $Sessions = @(), [scriptblock] $Scope, [bool] $Alone,
        $Pool, [string] $Where = '')
    $reported = @{}
    $asked = @{}    # The steps that the person was asked for.
    $dry = [bool]$WhatIfPreference
    $plans = @{}
    # Round 1 may make a switch, round 2 an adapter on it, round 3 sets them; the last only looks. A host that failed
    # is left alone: each call to one that is dead may take a minute.
    for ($round = 1; $round -le 5; $round++) {
        $alive = @($Node | Where-Object { -not $reported.ContainsKey($_.Name) })
        foreach ($result in Invoke-OnNode -Node $alive -Function 'Get-HostState' -Pool $Pool) {
            $name = $result.Node.Name
            if ($result.Error) { Write-NodeError $Cmdlet $name $result.Error $reported; continue }
            $plans[$name] = New-Plan -State $result.Output -Sessions $Sessions -InScope $Scope -Alone $Alone
        }
        if ($round -eq 5) { break }
        $work = @{}
        $again = $false
        foreach ($one in $alive) {
            if (-not $plans.ContainsKey($one.Name) -or $reported.ContainsKey($one.Name)) { continue }
            # Done, or declined: not a second time.
            $steps = @($plans[$one.Name].Steps | Where-Object { $_ -and -not $asked.ContainsKey((Get-StepKey $one $_)) })
            # What is made comes first; the rest is planned anew on what is there then. A dry run shows all.
            $made = @($steps | Where-Object { $_.Create } | Sort-Object -Property Rank | Select-Object -First 1)
            if ($made.Count -gt 0 -and -not $dry) {
                $steps = @($steps | Where-Object { $_.Create -and $_.Rank -eq $made[0].Rank })
                $again = $true
            } elseif (-not $dry) { $steps = @($steps | Where-Object { -not (Test-StepOfNothing $_) }) }
            $agreed = @(foreach ($step in $steps) {
                    $asked[(Get-StepKey $one $step)] = $true
                    if ($Cmdlet.ShouldProcess($plans[$one.Name].ComputerName, $step.Text)) { $step }
                })
            if ($agreed.Count -gt 0) { $work[$one.Name] = @{ Steps = $agreed } }
        }
        if ($work.Count -eq 0 -and -not $again) { break }
        $busy = @($Node | Where-Object { $work.ContainsKey($_.Name) })
        $done = Invoke-OnNode -Node $busy -Function 'Invoke-HostStep' -Argument $work -Pool $Pool
        foreach ($result in $done) {
            if ($result.Error) { Write-NodeError $Cmdlet $result.Node.Name $result.Error $reported }
        }
    }
    foreach ($one in $Node) {
        if (-not $plans.ContainsKey($one.Name)) { continue }
        foreach ($text in $plans[$one.Name].Left) { $Cmdlet.WriteWarning("$($plans[$one.Name].ComputerName): $text") }
    }
    ConvertTo-SessionResult -Node $Node -Plan $plans -Reported $reported -Dry $dry -Where $Where
}

function Get-StepKey {
    param($Node, $Step)
    "$($Node.Name)|$($Step.Setting.Key)|$($Step.To)"
}

# A setting of an adapter or switch that was to be made and is not there: the person declined it.
function Test-StepOfNothing {
    param($Step)
    $Step.Setting.HolderId -eq '' -or ($Step.Setting.Kind -in 'mode', 'vlan' -and $Step.Setting.On -eq '')
}

# One host's failure is an error of its own and does not stop the others. Told once.
function Write-NodeError {
    param($Cmdlet, [string] $Name, [string] $Text, [hashtable] $Reported)
    if ($Reported.ContainsKey($Name)) { return }
    $Reported[$Name] = $Text
    $Cmdlet.WriteError((New-ErrorRecord -Message $Text -Id 'Host' -Category 'ConnectionError' -Target $Name))
}

# Plans of the last look -> VMirror.Session objects. Pure.
function ConvertTo-SessionResult {
    param([object[]] $Node, [hashtable] $Plan, [hashtable] $Reported, [bool] $Dry, [string] $Where)
    $seen = @{}
    $all = @{}
    foreach ($one in $Node) {
        if (-not $Plan.ContainsKey($one.Name)) { continue }
        foreach ($resolution in $Plan[$one.Name].Resolutions) {
            $key = $resolution.Session.Key
            $all[$key] = $resolution.Session
            $verdict = Get-SessionVerdict $resolution
            if ($verdict.State -eq 'elsewhere') { continue }
            if ($verdict.State -ne 'standby') { $seen[$key] = $true }
            if ($Reported.ContainsKey($one.Name) -and $verdict.State -ne 'refused') {
                $verdict = @{ State = 'failed'; Reason = $Reported[$one.Name] }
            } elseif ($Dry -and $verdict.State -eq 'failed') {
                $verdict = @{ State = 'planned'; Reason = 'nothing was changed (-WhatIf)' }
            }
            New-SessionResult -ComputerName $Plan[$one.Name].ComputerName -Resolution $resolution -Verdict $verdict
        }
    }
    foreach ($key in @($all.Keys | Sort-Object)) {
        if ($seen.ContainsKey($key)) { continue }
        $session = $all[$key]
        $silent = @($Reported.Keys | Sort-Object) -join ', '
        $reason = "no host that was asked has a VM $($session.VM)"
        if ($silent) { $reason += ", and these did not answer: $silent" }
        $none = New-Resolution $session 'refused' $reason
        New-SessionResult -ComputerName $Where -Resolution $none -Verdict @{ State = 'refused'; Reason = $reason }
    }
}

function New-SessionResult {
    param([string] $ComputerName, $Resolution, [hashtable] $Verdict)
    New-TypedObject -Type 'Session' -Property ([ordered]@{
            Name = $Resolution.Session.Name; Owner = $Resolution.Session.Owner; ComputerName = $ComputerName
            State = $Verdict.State; Reason = $Verdict.Reason
            Source = [string[]]@($Resolution.Sources); Destination = [string[]]@($Resolution.Destinations)
            SwitchName = $Resolution.SwitchName; Warnings = [string[]]@($Resolution.Warnings)
        })
}
