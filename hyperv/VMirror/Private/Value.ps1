# Small helpers. Pure.

# A property that older versions of Windows lack, or a key of a hashtable: its value, or the default.
function Get-Value {
    param($Object, [string] $Name, $Default = $null)
    if ($null -eq $Object) { return $Default }
    if ($Object -is [System.Collections.IDictionary]) {
        if ($Object.Contains($Name)) { return $Object[$Name] }
        return $Default
    }
    $property = $Object.PSObject.Properties[$Name]
    if ($null -eq $property -or $null -eq $property.Value) { return $Default }
    $property.Value
}

# Makes an object of one of the module's types, which the format file knows.
function New-TypedObject {
    param([string] $Type, [System.Collections.IDictionary] $Property)
    $object = [pscustomobject]$Property
    $object.PSObject.TypeNames.Insert(0, "VMirror.$Type")
    $object
}

# An error with an id, a category, what, where and the remedy. $Target is the host.
function New-ErrorRecord {
    param([string] $Message, [string] $Id, [string] $Category = 'InvalidOperation', $Target)
    $exception = New-Object 'System.InvalidOperationException' $Message
    New-Object 'System.Management.Automation.ErrorRecord' $exception, "VMirror.$Id", $Category, $Target
}
