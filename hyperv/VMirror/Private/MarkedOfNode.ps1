# The marked sessions of hosts whose names match. An edge.
function Get-MarkedOfNode {
    param($Cmdlet, [object[]] $Node, [string[]] $Name, [int] $ThrottleLimit)
    $reported = @{}
    $found = @()
    foreach ($result in Invoke-OnNode -Node $Node -Function 'Get-HostState' -ThrottleLimit $ThrottleLimit) {
        if ($result.Error) { Write-NodeError $Cmdlet $result.Node.Name $result.Error $reported; continue }
        foreach ($marked in Get-MarkedSession $result.Output) {
            if (-not (Test-NameMatch $marked.Name $Name)) { continue }
            $found += $marked.Name
            [pscustomobject]@{ ComputerName = $result.Output.ComputerName; Marked = $marked }
        }
    }
    Write-MissingName -Cmdlet $Cmdlet -Node $Node -Name $Name -Found $found
}

# A name without wildcards that no host has is an error.
function Write-MissingName {
    param($Cmdlet, [object[]] $Node, [string[]] $Name, [string[]] $Found)
    $where = @($Node | ForEach-Object { $_.Name }) -join ', '
    foreach ($one in @($Name | Where-Object { $_ } | Sort-Object -Unique)) {
        if ([System.Management.Automation.WildcardPattern]::ContainsWildcardCharacters($one) -or $Found -contains $one) { continue }
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
