# Installs the hook's task on hosts, or removes it where $Task is not given: look, ask, act. An edge.
function Invoke-HookChange {
    param($Cmdlet, [object[]] $Node, $Task = $null, [int] $ThrottleLimit)
    $reported = @{}
    $work = @{}
    $texts = @{
        install = "register the scheduled task $script:HookPath$script:HookName"
        replace = "replace the scheduled task $script:HookPath$script:HookName"
        remove  = "remove the scheduled task $script:HookPath$script:HookName"
    }
    foreach ($result in Invoke-OnNode -Node $Node -Function 'Get-NodeHook' -ThrottleLimit $ThrottleLimit) {
        $name = $result.Node.Name
        if ($result.Error) { Write-NodeError $Cmdlet $name $result.Error $reported; continue }
        $wanted = if ($Task) { $Task.Description } else { '' }
        $decision = Get-HookDecision -Description $result.Output.Description -Wanted $wanted
        if (-not $Task) { $decision = @{ install = 'nothing'; replace = 'remove'; refuse = 'refuse' }[$decision] }
        if ($decision -eq 'refuse') {
            New-HookResult $name 'refused' 'a task of that name is there that is not this module''s (rename or remove it)'
        } elseif ($decision -eq 'nothing') {
            New-HookResult $name $(if ($Task) { 'installed' } else { 'absent' })
        } elseif ($Cmdlet.ShouldProcess($name, $texts[$decision])) {
            $work[$name] = if ($Task) { @{ Xml = $Task.Xml } } else { @{} }
        } elseif ($WhatIfPreference) { New-HookResult $name 'planned' $texts[$decision] }
    }
    $busy = @($Node | Where-Object { $work.ContainsKey($_.Name) })
    if ($busy.Count -eq 0) { return }
    $function = if ($Task) { 'Set-NodeHook' } else { 'Remove-NodeHook' }
    foreach ($result in Invoke-OnNode -Node $busy -Function $function -Argument $work -ThrottleLimit $ThrottleLimit) {
        if ($result.Error) {
            Write-NodeError $Cmdlet $result.Node.Name $result.Error $reported
            New-HookResult $result.Node.Name 'failed' $result.Error
        } else { New-HookResult $result.Node.Name $(if ($Task) { 'installed' } else { 'absent' }) }
    }
}
