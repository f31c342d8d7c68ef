# The marked sessions of hosts whose names match. An edge. A name without wildcards that no host has is an error.
function Get-MarkedOfNode {
    param($Cmdlet, [object[]] $Node, [string[]] $Name, [int] $ThrottleLimit)
    $reported = @{}
    $missing = @{}
    foreach ($one in @($Name | Where-Object { $_ })) {
        if (-not [System.Management.Automation.WildcardPattern]::ContainsWildcardCharacters($one)) { $missing[$one] = $true }
    }
    foreach ($result in Invoke-OnNode -Node $Node -Function 'Get-HostState' -ThrottleLimit $ThrottleLimit) {
        if ($result.Error) { Write-NodeError $Cmdlet $result.Node.Name $result.Error $reported; continue }
        foreach ($marked in Get-MarkedSession $result.Output) {
            if (-not (Test-NameMatch $marked.Name $Name)) { continue }
            $missing.Remove($marked.Name)
            [pscustomobject]@{ ComputerName = $result.Output.ComputerName; Marked = $marked }
        }
    }
    foreach ($one in @($missing.Keys | Sort-Object)) {
        $where = @($Node | ForEach-Object { $_.Name }) -join ', '
        $text = "there is no session '$one' on $where (Get-VMirrorSession lists them)"
        $Cmdlet.WriteError((New-ErrorRecord -Message $text -Id 'NoSession' -Category 'ObjectNotFound' -Target $one))
    }
}

function Test-NameMatch {
    param([string] $Text, [string[]] $Pattern)
    $patterns = @($Pattern | Where-Object { $_ })
    if ($patterns.Count -eq 0) { return $true }
    foreach ($one in $patterns) { if ($Text -like $one) { return $true } }
    $false
}
