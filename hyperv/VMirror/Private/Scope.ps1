# Which sessions a run is about, as a function of a session's key (OWNER/NAME). Pure.

# Those of the list.
function New-ListScope {
    param([string[]] $Key)
    $set = @{}
    foreach ($one in $Key) { $set[$one] = $true }
    { param($Key) $set.ContainsKey($Key) }.GetNewClosure()
}

# All of an owner.
function New-OwnerScope {
    param([string] $Owner)
    $prefix = "$Owner/"
    { param($Key) $Key.StartsWith($prefix, [StringComparison]::OrdinalIgnoreCase) }.GetNewClosure()
}

# Those whose names match, whoever owns them.
function New-NameScope {
    param([string[]] $Pattern)
    {
        param($Key)
        $name = $Key.Split('/')[1]
        foreach ($one in $Pattern) { if ($name -like $one) { return $true } }
        $false
    }.GetNewClosure()
}
